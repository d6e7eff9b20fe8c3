-- When a driver last opened their list of responses: what dispatchers decided since is the number beside «Отклики».
ALTER TABLE drivers ADD COLUMN responses_seen_at timestamptz NOT NULL DEFAULT now();

-- One live session a driver: a login ends the one before.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    driver_id bigint NOT NULL REFERENCES drivers (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    address inet,
    agent text,
    revoked_at timestamptz,
    revoked_reason text CHECK (revoked_reason IN ('replaced', 'logout', 'admin', 'forgotten')),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE UNIQUE INDEX sessions_one_live ON sessions (driver_id) WHERE revoked_at IS NULL;
CREATE INDEX sessions_driver ON sessions (driver_id, created_at);
CREATE INDEX sessions_changed ON sessions (greatest(created_at, revoked_at));

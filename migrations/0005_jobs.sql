-- Who of the whole cluster does something alone. The clock is the database's: a lease that is not renewed until
-- expires_at is free again, whatever became of its holder.
CREATE TABLE leases (
    name text PRIMARY KEY,
    owner uuid NOT NULL,
    expires_at timestamptz NOT NULL
);

-- The schedule's memory: one row a job. due_at moves only when a run ends, so a run that died is due at once.
CREATE TABLE job_runs (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz, -- of the last run that came to an end
    outcome text CHECK (outcome IN ('ok', 'failed')),
    result jsonb,
    error text,
    runs bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0
);

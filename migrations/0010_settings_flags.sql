-- What the panel and `fura settings` change while the server runs. Every change is told to all workers.
CREATE TABLE settings (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_.]{0,99}$'),
    kind text NOT NULL CHECK (kind IN ('text', 'integer', 'boolean', 'json', 'secret')),
    value jsonb,
    sealed bytea, -- secrets: encrypted by services/secrets.lua
    key_id text,  -- of the key that sealed it, so that rotation knows what is left
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text,
    CHECK (CASE WHEN kind = 'secret' THEN value IS NULL AND sealed IS NOT NULL AND key_id IS NOT NULL
                ELSE value IS NOT NULL AND sealed IS NULL AND key_id IS NULL END),
    CHECK (CASE kind WHEN 'text' THEN jsonb_typeof(value) = 'string' WHEN 'integer' THEN jsonb_typeof(value) = 'number'
                WHEN 'boolean' THEN jsonb_typeof(value) = 'boolean' ELSE true END)
);

CREATE TABLE feature_flags (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    enabled boolean NOT NULL DEFAULT true,
    rollout_percent integer NOT NULL DEFAULT 100 CHECK (rollout_percent BETWEEN 0 AND 100),
    allow_list bigint[] NOT NULL DEFAULT '{}', -- drivers who have it whatever the percentage says
    requires_subscription boolean NOT NULL DEFAULT false,
    description text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text
);

CREATE FUNCTION settings_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('settings', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE TRIGGER settings_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON settings
    FOR EACH STATEMENT EXECUTE FUNCTION settings_tell();
CREATE TRIGGER feature_flags_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON feature_flags
    FOR EACH STATEMENT EXECUTE FUNCTION settings_tell();

-- Drivers, their sessions and what they last searched for. A driver's id is their Telegram id.
CREATE TABLE drivers (
    id bigint PRIMARY KEY CHECK (id > 0),
    first_name text NOT NULL DEFAULT '',
    last_name text,
    username text,
    language_code text,
    -- What a response carries; asked once. The phone is E.164.
    phone text CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    contact_name text CHECK (char_length(contact_name) BETWEEN 1 AND 255),
    unreachable_at timestamptz, -- Telegram refused our last message: the driver blocked the bot
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drivers_username ON drivers (lower(username)) WHERE username IS NOT NULL;
CREATE INDEX drivers_created ON drivers (created_at);

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

CREATE TABLE driver_filters (
    driver_id bigint PRIMARY KEY REFERENCES drivers (id) ON DELETE CASCADE,
    filters jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

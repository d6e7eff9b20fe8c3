-- Drivers. An id is the Telegram id.
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

-- Accounts of the panel. The password is kept as scrypt with the costs it was made with; the secret of one-time codes is
-- sealed by SETTINGS_ENCRYPTION_KEY.
CREATE TABLE admins (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{1,63}$'),
    role text NOT NULL CHECK (role IN ('viewer', 'admin')),
    password_hash bytea NOT NULL CHECK (octet_length(password_hash) = 32),
    password_salt bytea NOT NULL CHECK (octet_length(password_salt) = 16),
    scrypt_n integer NOT NULL CHECK (scrypt_n >= 1024),
    scrypt_r integer NOT NULL CHECK (scrypt_r > 0),
    scrypt_p integer NOT NULL CHECK (scrypt_p > 0),
    totp_sealed bytea,
    totp_last_step bigint NOT NULL DEFAULT 0, -- a code is taken once: only later steps pass
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz,
    disabled_at timestamptz
);

-- A session is known by the hash of its token; the token itself is only in the browser's cookie.
CREATE TABLE admin_sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    admin_id integer NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
    csrf text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    address inet,
    agent text
);
CREATE INDEX admin_sessions_admin ON admin_sessions (admin_id);
CREATE INDEX admin_sessions_expiry ON admin_sessions (expires_at);

-- Attempts to log in within the current minute, by account and by address. Counted before the password is tried, so that
-- attempts side by side cannot exceed the limit.
CREATE TABLE admin_login_attempts (
    subject text PRIMARY KEY,
    attempts integer NOT NULL,
    since timestamptz NOT NULL
);
CREATE INDEX admin_login_attempts_since ON admin_login_attempts (since);

-- The panel finds a driver by the beginning of a name.
CREATE INDEX drivers_username_prefix ON drivers (lower(username) text_pattern_ops);
CREATE INDEX drivers_first_name_prefix ON drivers (lower(first_name) text_pattern_ops);
CREATE INDEX drivers_last_login ON drivers (last_login_at, id);

-- Forms that move money count once, however often they are sent.
CREATE TABLE admin_forms (
    key uuid PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX admin_forms_used ON admin_forms (used_at);

-- What the panel filters and adds up.
CREATE INDEX payments_amount ON payments (amount_kopecks, created_at);
CREATE INDEX payments_paid ON payments (paid_at) INCLUDE (amount_kopecks) WHERE paid_at IS NOT NULL;
CREATE INDEX refunds_done ON refunds (updated_at) INCLUDE (amount_kopecks) WHERE status = 'succeeded';

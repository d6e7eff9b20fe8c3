-- Who was told already that an access ends soon: each end once for each number of days, whatever becomes of Redis.
CREATE TABLE subscription_expiry_told (
    driver_id bigint NOT NULL REFERENCES drivers (id),
    expires_at timestamptz NOT NULL,
    days_left integer NOT NULL CHECK (days_left > 0),
    PRIMARY KEY (driver_id, expires_at, days_left)
);
CREATE INDEX subscription_expiry_told_expires ON subscription_expiry_told (expires_at);

-- Every Idempotency-Key that was answered, with the payment it was answered with: also when that was open already. The hash
-- of what was asked for tells a repetition from another request under the same key.
CREATE TABLE payment_attempts (
    driver_id bigint NOT NULL REFERENCES drivers (id),
    key text NOT NULL,
    payment_id uuid NOT NULL REFERENCES payments (id),
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (driver_id, key)
);
CREATE INDEX payment_attempts_created ON payment_attempts (created_at);
ALTER TABLE payments DROP COLUMN idempotency_key;

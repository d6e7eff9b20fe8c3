-- What drivers have access to. A row of subscription_grants is the only way to move a subscription: the database itself
-- computes the new end, so that a grant counts once and the sum of the ledger is what the driver has.
CREATE TABLE subscriptions (
    driver_id bigint PRIMARY KEY REFERENCES drivers (id),
    expires_at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('payment', 'promo', 'gift', 'trial')),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- The read-only token for lists: its SHA-256 to look it up, the token itself encrypted to show it again.
    token_hash bytea UNIQUE CHECK (octet_length(token_hash) = 32),
    token_sealed bytea,
    token_created_at timestamptz,
    CHECK ((token_hash IS NULL) = (token_sealed IS NULL) AND (token_hash IS NULL) = (token_created_at IS NULL))
);
CREATE INDEX subscriptions_expires ON subscriptions (expires_at);

CREATE TABLE subscription_grants (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    driver_id bigint NOT NULL REFERENCES drivers (id),
    source text NOT NULL CHECK (source IN ('payment', 'promo', 'gift', 'trial', 'refund', 'revoke')),
    source_id text NOT NULL CHECK (source_id <> ''),
    days integer NOT NULL CHECK (days BETWEEN -36500 AND 36500),
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_before timestamptz,
    expires_after timestamptz NOT NULL,
    UNIQUE (source, source_id), -- a payment, promo use or refund counts once, whoever tells of it and how often
    CHECK (CASE WHEN source IN ('refund', 'revoke') THEN days <= 0 ELSE days > 0 END)
);
CREATE UNIQUE INDEX subscription_grants_one_trial ON subscription_grants (driver_id) WHERE source = 'trial';
CREATE INDEX subscription_grants_driver ON subscription_grants (driver_id, granted_at);

-- Days are 86400 seconds. More days count from the end of the access, or from now when there is none; a refund takes
-- from the end; a revocation ends it now. Grants of one driver queue on the driver's row.
CREATE FUNCTION subscription_grants_compute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM drivers WHERE id = NEW.driver_id FOR NO KEY UPDATE;
    SELECT expires_at INTO NEW.expires_before FROM subscriptions WHERE driver_id = NEW.driver_id;
    NEW.granted_at := clock_timestamp();
    IF NEW.source = 'revoke' THEN
        NEW.expires_after := least(NEW.expires_before, NEW.granted_at);
        NEW.days := -ceil(extract(epoch FROM NEW.expires_before - NEW.expires_after) / 86400);
    ELSIF NEW.source = 'refund' THEN
        NEW.expires_after := NEW.expires_before + make_interval(secs => NEW.days * 86400.0);
    ELSE
        NEW.expires_after := greatest(NEW.expires_before, NEW.granted_at) + make_interval(secs => NEW.days * 86400.0);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subscription_grants_compute BEFORE INSERT ON subscription_grants
    FOR EACH ROW EXECUTE FUNCTION subscription_grants_compute();

CREATE FUNCTION subscription_grants_apply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.source IN ('refund', 'revoke') THEN
        UPDATE subscriptions SET expires_at = NEW.expires_after, updated_at = now() WHERE driver_id = NEW.driver_id;
    ELSE
        INSERT INTO subscriptions (driver_id, expires_at, source)
        VALUES (NEW.driver_id, NEW.expires_after, NEW.source)
        ON CONFLICT (driver_id) DO UPDATE
        SET expires_at = excluded.expires_at, source = excluded.source, updated_at = now();
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER subscription_grants_apply AFTER INSERT ON subscription_grants
    FOR EACH ROW EXECUTE FUNCTION subscription_grants_apply();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER subscription_grants_append_only BEFORE UPDATE OR DELETE ON subscription_grants
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER subscription_grants_no_truncate BEFORE TRUNCATE ON subscription_grants
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Every worker of every node forgets its copy once the change is committed.
CREATE FUNCTION subscriptions_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('subscriptions', coalesce(NEW.driver_id, OLD.driver_id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER subscriptions_tell AFTER INSERT OR UPDATE OR DELETE ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION subscriptions_tell();

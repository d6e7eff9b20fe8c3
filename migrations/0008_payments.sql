-- Payments through YooKassa. Our row comes first; its id is the key under which the gateway is asked, so that asking
-- again is the same payment. What a payment is about never changes, and its status only moves on.
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    driver_id bigint NOT NULL REFERENCES drivers (id),
    tariff text NOT NULL,
    days integer NOT NULL CHECK (days BETWEEN 1 AND 3660),
    amount_kopecks bigint NOT NULL CHECK (amount_kopecks > 0),
    currency text NOT NULL DEFAULT 'RUB' CHECK (currency = 'RUB'),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'waiting_for_capture', 'succeeded', 'canceled', 'failed', 'partially_refunded', 'refunded')),
    gateway_id text UNIQUE CHECK (gateway_id <> ''),
    confirmation_url text,
    return_url text NOT NULL,
    idempotency_key text, -- the client's own, so that its repeated attempt is the same payment
    superseded_at timestamptz, -- another payment took its place; it still counts if it is paid
    posting_until timestamptz, -- somebody is asking the gateway to create it
    refunded_kopecks bigint NOT NULL DEFAULT 0,
    cancellation_reason text,
    receipt_sealed bytea, -- the receipt with the payer's contact, encrypted
    paid_at timestamptz,
    checks integer NOT NULL DEFAULT 0,
    next_check_at timestamptz, -- NULL: two minutes after created_at
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (refunded_kopecks BETWEEN 0 AND amount_kopecks),
    CHECK (CASE status WHEN 'refunded' THEN refunded_kopecks = amount_kopecks
                       WHEN 'partially_refunded' THEN refunded_kopecks BETWEEN 1 AND amount_kopecks - 1
                       ELSE refunded_kopecks = 0 END),
    UNIQUE (driver_id, idempotency_key)
);
CREATE UNIQUE INDEX payments_one_open ON payments (driver_id, tariff)
    WHERE status = 'pending' AND superseded_at IS NULL;
CREATE INDEX payments_driver ON payments (driver_id, created_at);
CREATE INDEX payments_status ON payments (status, created_at);
CREATE INDEX payments_created ON payments (created_at);
CREATE INDEX payments_due ON payments ((coalesce(next_check_at, created_at)))
    WHERE status IN ('pending', 'waiting_for_capture');

CREATE FUNCTION payments_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.driver_id, NEW.tariff, NEW.days, NEW.amount_kopecks, NEW.currency)
        IS DISTINCT FROM (OLD.id, OLD.driver_id, OLD.tariff, OLD.days, OLD.amount_kopecks, OLD.currency)
        OR OLD.gateway_id IS NOT NULL AND NEW.gateway_id IS DISTINCT FROM OLD.gateway_id
        OR NEW.refunded_kopecks < OLD.refunded_kopecks THEN
        RAISE EXCEPTION 'what payment % is about cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    -- 'failed' is our own verdict on silence; money that comes later overrules it.
    IF NEW.status <> OLD.status AND NOT (OLD.status, NEW.status) IN (
        ('pending', 'waiting_for_capture'), ('pending', 'succeeded'), ('pending', 'canceled'), ('pending', 'failed'),
        ('waiting_for_capture', 'succeeded'), ('waiting_for_capture', 'canceled'),
        ('failed', 'waiting_for_capture'), ('failed', 'succeeded'), ('failed', 'canceled'),
        ('succeeded', 'partially_refunded'), ('succeeded', 'refunded'), ('partially_refunded', 'refunded')) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER payments_guard BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION payments_guard();
CREATE TRIGGER payments_kept BEFORE DELETE ON payments FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What happened to a payment, for people.
CREATE TABLE payment_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    event text NOT NULL,
    old_status text,
    new_status text,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX payment_history_payment ON payment_history (payment_id, id);
CREATE TRIGGER payment_history_append_only BEFORE UPDATE OR DELETE ON payment_history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_history_no_truncate BEFORE TRUNCATE ON payment_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Notifications as they came. They are hints: what happens is decided by asking the gateway.
CREATE TABLE payment_inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event text NOT NULL,
    object_id text NOT NULL,
    status text NOT NULL,
    body text, -- NULL after its retention
    address inet,
    received_at timestamptz NOT NULL DEFAULT now(),
    last_received_at timestamptz NOT NULL DEFAULT now(),
    received integer NOT NULL DEFAULT 1,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz DEFAULT now(), -- NULL: done with
    outcome text CHECK (outcome IN ('applied', 'unchanged', 'mismatch', 'ignored', 'dead')),
    last_problem text,
    CONSTRAINT payment_inbox_once UNIQUE (event, object_id, status),
    CHECK (next_try_at IS NOT NULL OR outcome IS NOT NULL)
);
CREATE INDEX payment_inbox_due ON payment_inbox (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX payment_inbox_received ON payment_inbox (received_at);

-- Money given back: asked for by us, or made in the merchant's cabinet and learnt of by a notification.
CREATE TABLE refunds (
    id uuid PRIMARY KEY, -- and the key under which the gateway is asked
    payment_id uuid NOT NULL REFERENCES payments (id),
    gateway_id text UNIQUE CHECK (gateway_id <> ''),
    amount_kopecks bigint NOT NULL CHECK (amount_kopecks > 0),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'canceled')),
    reason text NOT NULL DEFAULT '',
    requested_by text,
    checks integer NOT NULL DEFAULT 0,
    next_check_at timestamptz NOT NULL DEFAULT now() + interval '2 minutes',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_payment ON refunds (payment_id);
CREATE INDEX refunds_due ON refunds (next_check_at) WHERE status = 'pending';
CREATE FUNCTION refunds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.payment_id, NEW.amount_kopecks) IS DISTINCT FROM (OLD.id, OLD.payment_id, OLD.amount_kopecks)
        OR OLD.gateway_id IS NOT NULL AND NEW.gateway_id IS DISTINCT FROM OLD.gateway_id
        OR NEW.status <> OLD.status AND OLD.status <> 'pending' THEN
        RAISE EXCEPTION 'refund % cannot change so', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_guard BEFORE UPDATE ON refunds FOR EACH ROW EXECUTE FUNCTION refunds_guard();
CREATE TRIGGER refunds_kept BEFORE DELETE ON refunds FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Where receipts go (54-FZ): asked once, encrypted.
CREATE TABLE receipt_contacts (
    driver_id bigint PRIMARY KEY REFERENCES drivers (id) ON DELETE CASCADE,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

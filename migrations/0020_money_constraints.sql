-- More of what must never be, whoever writes: money that nobody received, codes used more often than their uses say, trails of
-- money thrown away as a whole.
ALTER TABLE payments ADD CONSTRAINT payments_paid_at_gateway CHECK (
    status NOT IN ('succeeded', 'partially_refunded', 'refunded') OR (gateway_id IS NOT NULL AND paid_at IS NOT NULL));
ALTER TABLE refunds ADD CONSTRAINT refunds_made_at_gateway CHECK (status <> 'succeeded' OR gateway_id IS NOT NULL);

-- The count of a code's uses follows the uses themselves (promo_uses_count) and nobody else; what a code gives never changes.
CREATE FUNCTION promo_codes_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.code, NEW.action, NEW.days) IS DISTINCT FROM (OLD.id, OLD.code, OLD.action, OLD.days) THEN
        RAISE EXCEPTION 'what promo code % gives cannot change', OLD.code USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.uses <> OLD.uses AND (NEW.uses <> OLD.uses + 1 OR pg_trigger_depth() < 2) THEN
        RAISE EXCEPTION 'uses of promo code % are counted by promo_uses', OLD.code USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promo_codes_guard BEFORE UPDATE ON promo_codes FOR EACH ROW EXECUTE FUNCTION promo_codes_guard();

CREATE TRIGGER promo_uses_no_truncate BEFORE TRUNCATE ON promo_uses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_no_truncate BEFORE TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_no_truncate BEFORE TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

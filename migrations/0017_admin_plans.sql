-- What the panel looks up among a million rows, without going to the table for each: filters by status, day and amount, their
-- sums over the newest ten thousand, and the trail by two conditions of which the rows fit only one.
DROP INDEX payments_status;
CREATE INDEX payments_status ON payments (status, created_at, id) INCLUDE (amount_kopecks, refunded_kopecks);
DROP INDEX payments_created;
CREATE INDEX payments_created ON payments (created_at, id) INCLUDE (status, amount_kopecks, refunded_kopecks);

-- By the object first: the page of a payment asks for it alone.
ALTER TABLE payment_inbox DROP CONSTRAINT payment_inbox_once;
ALTER TABLE payment_inbox ADD CONSTRAINT payment_inbox_once UNIQUE (object_id, event, status);

-- With the id that orders what happened at one moment, as the list does.
DROP INDEX audit_log_time, audit_log_actor, audit_log_target, audit_log_action;
CREATE INDEX audit_log_time ON audit_log (created_at, id);
CREATE INDEX audit_log_actor ON audit_log (actor_type, actor_id, created_at, id);
CREATE INDEX audit_log_target ON audit_log (target_type, target_id, created_at, id);
CREATE INDEX audit_log_action ON audit_log (action, created_at, id);
CREATE INDEX audit_log_actor_action ON audit_log (actor_type, action, created_at, id);
CREATE INDEX audit_log_actor_object ON audit_log (actor_type, target_type, created_at, id);

-- Who does what to which object depends on each other: without knowing it the planner walks a month backwards for rows that are not there.
CREATE FUNCTION audit_log_add_statistics(month regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE STATISTICS %I (mcv) ON actor_type, action, target_type FROM %s', month || '_who_what', month);
END $$;
SELECT audit_log_add_statistics(inhrelid) FROM pg_inherits WHERE inhparent = 'audit_log'::regclass;

CREATE OR REPLACE FUNCTION audit_log_add_month(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', month);
    name text := 'audit_log_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_log FOR VALUES FROM (%L) TO (%L)',
        name, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change()', name);
    PERFORM audit_log_add_statistics(name::regclass);
END $$;

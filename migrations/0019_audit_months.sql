-- The audit log keeps whole months: the job audit.months makes those to come and drops those past their retention. A month goes once
-- all of it is older than the months to keep. Names of what went are given back, oldest first.
CREATE FUNCTION audit_log_drop_months(kept_months integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    month text;
BEGIN
    FOR month IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit_log'::regclass AND relname ~ '^audit_log_\d{4}_\d{2}$'
          AND (to_date(right(relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
              <= now() - kept_months * interval '1 month'
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE %I', month);
        RETURN NEXT month;
    END LOOP;
END $$;

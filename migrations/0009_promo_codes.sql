-- Promo codes and who used them. A code cannot be used more often than it allows, nor twice by one driver: the
-- database refuses.
CREATE TABLE promo_codes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9]{6,50}$'),
    action text NOT NULL CHECK (action IN ('extend_30', 'extend_60', 'extend_90', 'activate_trial')),
    days integer NOT NULL CHECK (days = CASE action WHEN 'extend_30' THEN 30 WHEN 'extend_60' THEN 60
                                                    WHEN 'extend_90' THEN 90 ELSE 7 END),
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    max_uses integer NOT NULL CHECK (max_uses >= 1),
    uses integer NOT NULL DEFAULT 0,
    deactivated_at timestamptz,
    description text NOT NULL DEFAULT '',
    created_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (valid_until > valid_from),
    CONSTRAINT promo_codes_not_overused CHECK (uses BETWEEN 0 AND max_uses)
);
CREATE INDEX promo_codes_created ON promo_codes (created_at);
CREATE INDEX promo_codes_until ON promo_codes (valid_until);

CREATE TABLE promo_uses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    promo_code_id bigint NOT NULL REFERENCES promo_codes (id),
    driver_id bigint NOT NULL REFERENCES drivers (id),
    days_added integer NOT NULL CHECK (days_added > 0),
    used_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (promo_code_id, driver_id)
);
CREATE INDEX promo_uses_driver ON promo_uses (driver_id, used_at);

-- The count follows the uses themselves.
CREATE FUNCTION promo_uses_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE promo_codes SET uses = uses + 1 WHERE id = NEW.promo_code_id;
    RETURN NULL;
END $$;
CREATE TRIGGER promo_uses_count AFTER INSERT ON promo_uses FOR EACH ROW EXECUTE FUNCTION promo_uses_count();
CREATE TRIGGER promo_uses_append_only BEFORE UPDATE OR DELETE ON promo_uses
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

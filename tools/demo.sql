-- What the demo starts with beside its account of the panel.
INSERT INTO promo_codes (code, action, days, max_uses, valid_from, valid_until, description) VALUES
    ('DEMO2026', 'extend_30', 30, 1000, now(), now() + interval '5 years', 'a month for anyone'),
    ('TRIAL2026', 'activate_trial', 7, 1000, now(), now() + interval '5 years', 'a first week');

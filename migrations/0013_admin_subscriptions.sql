-- The panel's filter by source, also when that source is rare.
CREATE INDEX subscriptions_source ON subscriptions (source, expires_at);

-- Who is unreachable and without access: counted from the index alone.
DROP INDEX subscriptions_expires;
CREATE INDEX subscriptions_expires ON subscriptions (expires_at) INCLUDE (driver_id);

-- What the panel's lists look for among a million rows.
CREATE INDEX drivers_unreachable ON drivers (last_login_at, id) WHERE unreachable_at IS NOT NULL;
CREATE INDEX outbox_kind ON outbox (kind, id);
CREATE INDEX outbox_chat ON outbox (chat_key, id);

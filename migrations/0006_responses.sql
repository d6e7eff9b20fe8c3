-- What drivers answered to cargos. One row a driver and cargo; whatever is said about it acts on that row.
CREATE TABLE responses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id bigint NOT NULL REFERENCES drivers (id) ON DELETE CASCADE,
    cargo_id text NOT NULL CHECK (cargo_id ~ '^[0-9]{1,18}$'),
    code text NOT NULL UNIQUE CHECK (code ~ '^[0-9a-f]{20}$'), -- names the row in the buttons of its messages
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'sent', 'accepted', 'rejected', 'completed', 'failed')),
    cargo jsonb NOT NULL, -- the card at that time: the cargo itself goes away
    phone text CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    name text CHECK (char_length(name) BETWEEN 1 AND 255),
    chat_id bigint,       -- where the last message about it stands
    message_id bigint,
    failure text,         -- why it is failed
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    decided_at timestamptz,
    decided_by text,      -- the dispatcher who pressed last
    UNIQUE (driver_id, cargo_id),
    CHECK ((status = 'failed') = (failure IS NOT NULL))
);
CREATE INDEX responses_driver ON responses (driver_id, created_at DESC, id DESC);
CREATE INDEX responses_status ON responses (status, created_at);
CREATE INDEX responses_created ON responses (created_at);

-- The legal moves; lua/rules/responses.lua shows the same ones to people.
CREATE FUNCTION responses_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('queued', 'sent'), ('queued', 'failed'),
        ('sent', 'accepted'), ('sent', 'rejected'),
        ('accepted', 'completed'),
        ('failed', 'queued'), ('failed', 'sent')) THEN
        RAISE EXCEPTION 'a response cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'check_violation',
            CONSTRAINT = 'responses_move';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER responses_move BEFORE UPDATE OF status ON responses
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION responses_check_move();

-- What is still to be said outside, written in the transaction that decided it. Entries of one chat_key leave in the
-- order of their ids, one after the other.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    chat_key text NOT NULL, -- 'responses', 'alerts' or the id of a chat
    payload jsonb NOT NULL DEFAULT '{}',
    response_id uuid REFERENCES responses (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'dead')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    uncertain boolean NOT NULL DEFAULT false, -- an attempt may have got through without our knowing
    next_at timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz,
    sent_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_open ON outbox (chat_key, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
CREATE INDEX outbox_tried ON outbox (tried_at);
CREATE INDEX outbox_created ON outbox (created_at);
CREATE INDEX outbox_response ON outbox (response_id);

-- Updates of the bot that were taken; Telegram repeats one until it is answered.
CREATE TABLE telegram_updates (
    update_id bigint PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX telegram_updates_received ON telegram_updates (received_at);

-- Groups that became supergroups: stands for exactly the old id, so a newly configured chat is not touched by it.
CREATE TABLE telegram_chats (
    old_id bigint PRIMARY KEY,
    new_id bigint NOT NULL CHECK (new_id <> old_id),
    moved_at timestamptz NOT NULL DEFAULT now()
);

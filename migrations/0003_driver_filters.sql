-- What a driver last searched for, given back next time.
CREATE TABLE driver_filters (
    driver_id bigint PRIMARY KEY REFERENCES drivers (id) ON DELETE CASCADE,
    filters jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

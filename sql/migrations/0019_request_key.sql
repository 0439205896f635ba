-- What was answered to a request that carries an Idempotency-Key (server/store/request_keys.h): asked
-- again it is answered the same, and carried out once.
CREATE TABLE request_key (
    user_id     bigint NOT NULL REFERENCES "user" ON DELETE CASCADE,
    key_hash    bytea NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY, -- what the request is known by further down
    fingerprint bytea NOT NULL,                      -- of method, address and body
    begun_at    timestamptz NOT NULL DEFAULT now(),
    held_until  timestamptz NOT NULL,                -- somebody is at it; past: its process died
    status      int,                                 -- NULL: not answered yet
    media_type  text,
    location    text,
    body        bytea,                               -- NULL: it held a secret, and was not kept
    PRIMARY KEY (user_id, key_hash)
);
CREATE INDEX request_key_by_age ON request_key (begun_at);

ALTER TABLE request_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer ON request_key
    USING (user_id = nullif(current_setting('restante.user_id', true), '')::bigint);

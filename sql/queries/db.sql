-- Of the connection itself.

-- name: db_begin
BEGIN;

-- name: db_commit
COMMIT;

-- name: db_rollback
ROLLBACK;

-- Whose rows the web role sees, until the transaction ends (see row-level security in
-- migrations/0001).
-- name: db_set_viewer
SELECT set_config('restante.user_id', ($1::bigint)::text, true);

-- name: db_setup
SELECT set_config('statement_timeout', $1, false),
       set_config('role', $2, false),
       set_config('jit', 'off', false);

-- name: db_listen
LISTEN restante;

-- name: db_ping
SELECT 1;

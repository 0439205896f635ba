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

-- name: db_lazily
SELECT set_config('synchronous_commit', 'off', true);

-- All statements look up by keys: one plan fits every value, and planning costs more than running.
-- Tables grow by leaps while sync fills them, long before statistics know, so plans are made as for
-- large ones: by indexes, and never by reading all of one side.
-- name: db_setup
SELECT set_config('statement_timeout', $1, false),
       set_config('role', $2, false),
       set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false);

-- name: db_may_be_bulk
SELECT current_setting('is_superuser') = 'on';

-- Foreign keys are not looked up row by row, and nothing cascades.
-- name: db_setup_bulk
SELECT set_config('session_replication_role', 'replica', false);

-- name: db_listen
LISTEN restante;

-- name: db_ping
SELECT 1;

-- Of migrations and of the web role's rights.

-- One process at a time; released with the session at the latest.
-- name: migrate_lock
SELECT pg_advisory_lock(7310868735); -- any number nobody else uses

-- name: migrate_unlock
SELECT pg_advisory_unlock(7310868735);

-- name: migrate_table
CREATE TABLE IF NOT EXISTS schema_migration (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: migrate_has_table
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: migrate_applied
SELECT version FROM schema_migration ORDER BY version;

-- name: migrate_note
INSERT INTO schema_migration (version, name) VALUES ($1, $2);

-- Whether restante_web exists, we may become it, and it has its rights to each table.
-- name: migrate_has_web_role
SELECT coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'restante_web'), false)
   AND (SELECT coalesce(bool_and(has_table_privilege(r.oid, c.oid, p)), true)
          FROM pg_class c, pg_roles r, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p
         WHERE r.rolname = 'restante_web' AND c.relnamespace = current_schema()::regnamespace
           AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migration');

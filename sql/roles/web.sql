-- The rights of the web role, applied after migrations. Row-level security (in the migrations) says
-- which rows; this says which tables.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'restante_web') THEN
        CREATE ROLE restante_web;
    END IF;
    IF NOT pg_has_role('restante_web', 'MEMBER') THEN
        EXECUTE format('GRANT restante_web TO %I', current_user);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO restante_web', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO restante_web',
                   current_schema());
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO restante_web', current_schema());
    REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM restante_web;
END $$;

-- Two roles for the proxy on PostgreSQL: one that makes the schema, and one that serves and can
-- change neither the schema nor what is kept as evidence. Run this once, as the administrator,
-- in the proxy's own database:
--
--     psql -d proxy -f roles.sql
--
-- Then run one command as the owner, which brings the schema up to date, and evidence.sql; again
-- with each new version:
--
--     SFMCP_DATABASE='postgres://proxy_owner@db.example.com/proxy?sslmode=verify-full' sfmcp-proxy user list
--     psql -d proxy -f evidence.sql
--
-- The proxy itself has postgres://proxy@… as its database. Give both roles passwords or
-- certificates as you do elsewhere.

-- Roles are those of the whole server: before a restore they may be there already.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'proxy_owner') THEN
    CREATE ROLE proxy_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'proxy') THEN
    CREATE ROLE proxy LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO proxy_owner;
GRANT USAGE ON SCHEMA public TO proxy;
ALTER DEFAULT PRIVILEGES FOR ROLE proxy_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO proxy;

-- What the proxy says at the beginning of each session, for poolers that do not pass it on.
ALTER ROLE proxy SET lock_timeout = '5s';
ALTER ROLE proxy SET idle_in_transaction_session_timeout = '15s';

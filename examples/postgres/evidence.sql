-- What the role that serves may only read, or only add to, see roles.sql: the audit log, if it is
-- here and not in files (audit.dir: database), the log of versions before 0.1.0, and which migrations
-- were applied.
--
-- A log that is here is then shortened by age only by the owner, on the machine of the replica:
--
--     SFMCP_DATABASE='postgres://proxy_owner@…' sfmcp-proxy audit prune

REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON goose_db_version FROM proxy;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries, audit_groups, audit_hashes FROM proxy;

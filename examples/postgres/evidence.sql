-- What the role that serves may only read, or only add to, see roles.sql. The audit log itself is
-- not in the database: it is files that only grow. What lies here is the log of versions before
-- 0.1.0, and which migrations were applied.

REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON goose_db_version FROM proxy;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM proxy;

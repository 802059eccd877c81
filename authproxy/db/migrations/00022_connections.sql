-- +goose Up

-- The console counts and lists the live connections of many people.
DROP INDEX grants_user;
CREATE INDEX grants_user ON grants (org, subject, revoked_at, expires_at);
DROP INDEX grants_client;
CREATE INDEX grants_client ON grants (client_id, org, subject, revoked_at, expires_at);
CREATE INDEX grants_newest ON grants (created_at DESC, id);

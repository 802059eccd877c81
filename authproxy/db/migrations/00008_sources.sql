-- +goose Up

-- Whose a row is that a stranger can make: where a table is full, the party with most rows
-- gives way (package party; a document's party is the host that it came from). Rows of
-- earlier versions belong to one nameless party.
ALTER TABLE authorization_requests ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE authorization_requests ADD COLUMN host TEXT NOT NULL DEFAULT '';
CREATE INDEX authorization_requests_source ON authorization_requests (network, host, created_at, expires_at);
ALTER TABLE registered_clients ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE registered_clients ADD COLUMN host TEXT NOT NULL DEFAULT '';
CREATE INDEX registered_clients_source ON registered_clients (kind, network, host);

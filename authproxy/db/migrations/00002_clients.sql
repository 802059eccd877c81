-- +goose Up

-- Package grant ---------------------------------------------------------------

-- registered_clients: clients that are not in the configuration. kind 'document': the
-- last good Client ID Metadata Document, for every process and for while its host is
-- down; kind 'dynamic': a dynamic registration (RFC 7591).
CREATE TABLE registered_clients (
    id               TEXT PRIMARY KEY,
    kind             TEXT NOT NULL,
    metadata         TEXT NOT NULL,             -- JSON as it was published or registered
    created_at       BIGINT NOT NULL,
    read_at          BIGINT NOT NULL,           -- document: when it was last fetched
    fresh_until      BIGINT NOT NULL,           -- document: when it is asked for again
    keys             TEXT NOT NULL DEFAULT '',  -- document: last good key set of its jwks_uri
    keys_uri         TEXT NOT NULL DEFAULT '',  -- where keys came from
    keys_read_at     BIGINT NOT NULL DEFAULT 0,
    keys_fresh_until BIGINT NOT NULL DEFAULT 0,
    asserted_at      BIGINT NOT NULL DEFAULT 0  -- first authenticated with private_key_jwt
);
CREATE INDEX registered_clients_kind ON registered_clients (kind, created_at);

-- client_assertions: spent jti values of private_key_jwt, until the assertion expires.
CREATE TABLE client_assertions (
    client_id  TEXT NOT NULL,
    jti_hash   TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);

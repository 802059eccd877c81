-- +goose Up

-- mac: authenticates what a row gives, under the key ring (Guards in package db say which
-- columns). Taking away erases it. Rows of earlier versions get theirs when this version
-- opens the database for the first time; until then they give nothing.
ALTER TABLE users ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE authorization_requests ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE refresh_tokens ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE stops ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN mac TEXT NOT NULL DEFAULT '';       -- of the call
ALTER TABLE approvals ADD COLUMN state_mac TEXT NOT NULL DEFAULT ''; -- of its being pending, approved or under way
ALTER TABLE browser_sessions ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE mcp_sessions ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE registered_clients ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE registered_clients ADD COLUMN keys_mac TEXT NOT NULL DEFAULT '';

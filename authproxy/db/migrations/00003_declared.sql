-- +goose Up

-- What a client declared at initialize, by words: ui, sampling, elicitation, roots; and
-- the least severity of log messages that it asked for, empty for none.
ALTER TABLE mcp_sessions ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';
ALTER TABLE mcp_sessions ADD COLUMN log_level TEXT NOT NULL DEFAULT '';
UPDATE mcp_sessions SET capabilities = 'ui' WHERE ui;
ALTER TABLE mcp_sessions DROP COLUMN ui;

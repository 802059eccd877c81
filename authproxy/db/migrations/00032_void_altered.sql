-- +goose Up

-- Whether a request is void because its row was changed without the keys. That was said by the text of why alone, which a
-- person can write as the reason of an act of theirs as well.
ALTER TABLE approvals ADD COLUMN altered BOOLEAN NOT NULL DEFAULT FALSE;

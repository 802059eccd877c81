-- +goose Up

-- What people were shown of the record when they agreed: a digest, "unread" where it could not
-- be read, "" where there was nothing to show.
ALTER TABLE approval_decisions ADD COLUMN shown TEXT NOT NULL DEFAULT '';
-- Why a request that was approved waits again; "" for one that never did.
ALTER TABLE approvals ADD COLUMN reopened TEXT NOT NULL DEFAULT '';

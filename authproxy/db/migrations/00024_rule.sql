-- +goose Up

-- The rule of the policy which asked for a person, in words; "" of earlier versions.
ALTER TABLE approvals ADD COLUMN rule TEXT NOT NULL DEFAULT '';

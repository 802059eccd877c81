-- +goose Up

-- A revoked access token opens nothing, and stays until its time is over: how many a grant
-- gets in that time is bounded, also for a client that revokes each at once.
ALTER TABLE access_tokens ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;

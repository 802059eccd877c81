-- +goose Up

-- How often a request that was approved has come to wait again. Each time people are told anew.
ALTER TABLE approvals ADD COLUMN reopenings BIGINT NOT NULL DEFAULT 0;

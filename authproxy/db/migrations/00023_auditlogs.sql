-- +goose Up

-- Which audit logs there are: each process of a shared database has one in its own directory, under the
-- name of its keys. A row is never deleted.
CREATE TABLE audit_logs (
  origin         TEXT   NOT NULL PRIMARY KEY,
  host           TEXT   NOT NULL,            -- name of the machine that it was begun on
  verifiers      TEXT   NOT NULL,            -- public keys that its checkpoints verify with, one a line
  joined_at      BIGINT NOT NULL,
  heard_at       BIGINT NOT NULL,            -- when the process that writes it was here last
  closed_at      BIGINT NOT NULL DEFAULT 0,  -- 0: it is open
  closed_by_kind TEXT   NOT NULL DEFAULT '',
  closed_by_id   TEXT   NOT NULL DEFAULT '',
  closed_by_as   TEXT   NOT NULL DEFAULT '',
  closed_why     TEXT   NOT NULL DEFAULT '',
  closed_entries BIGINT NOT NULL DEFAULT 0,  -- that it had, by its last checkpoint
  mac            TEXT   NOT NULL
);

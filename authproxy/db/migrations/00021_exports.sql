-- +goose Up

-- How far each destination of exports has each log: the number of the last entry that it took.
CREATE TABLE export_positions (
  destination TEXT   NOT NULL,
  log         TEXT   NOT NULL,
  position    BIGINT NOT NULL,
  sent_at     BIGINT NOT NULL DEFAULT 0,  -- when it took that
  owner       TEXT   NOT NULL DEFAULT '', -- the one that sends, of processes that have the same log
  owner_until BIGINT NOT NULL DEFAULT 0,
  failures    BIGINT NOT NULL DEFAULT 0,  -- since it took something last
  failed_at   BIGINT NOT NULL DEFAULT 0,  -- the first of them
  reported_at BIGINT NOT NULL DEFAULT 0,  -- when the audit log was told of them; 0: it was not
  problem     TEXT   NOT NULL DEFAULT '', -- of the last of them
  mac         TEXT   NOT NULL,
  PRIMARY KEY (destination, log)
);

-- +goose Up

-- The audit logs of replicas without a disk that lasts (audit.dir: database). A row is one group of entries,
-- as a file of the log has it, and is never changed. Their tree and its signed checkpoints say whether they are
-- what was written.
CREATE TABLE audit_groups (
  log      TEXT   NOT NULL,  -- its name
  seq      BIGINT NOT NULL,  -- number of the first entry of the group
  next_seq BIGINT NOT NULL,  -- number behind the last one
  segment  BIGINT NOT NULL,  -- number of the first entry of the segment
  place    BIGINT NOT NULL,  -- bytes that the segment has before this row
  head     TEXT   NOT NULL,  -- first line of the segment, if the row begins it
  content  TEXT   NOT NULL,
  writer   TEXT   NOT NULL,  -- the statement that wrote it
  PRIMARY KEY (log, seq)
);
CREATE INDEX audit_groups_segments ON audit_groups (log, segment) WHERE head <> '';

-- Hashes of the entries of segments that were removed by age: the leaves that proofs of later ones go on from.
CREATE TABLE audit_hashes (
  log      TEXT   NOT NULL,
  seq      BIGINT NOT NULL,  -- number of the first entry
  next_seq BIGINT NOT NULL,  -- number behind the last one
  hashes   TEXT   NOT NULL,  -- SHA-256 of each, one behind the other, in base64
  PRIMARY KEY (log, seq)
);

-- +goose Up

-- What a call is asked for beside who approves, who proposed it in the place of another, and
-- that other.
ALTER TABLE approvals ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN counter_of TEXT NOT NULL DEFAULT '';
-- decisions: digest of the MACs of its rows in approval_decisions; spent_grant: the connection
-- that made the call; sealed_reason: what who denied said.
ALTER TABLE approvals ADD COLUMN decisions TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN spent_grant TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN sealed_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX approvals_counter ON approvals (counter_of) WHERE counter_of <> '';
CREATE INDEX approvals_grant ON approvals (grant_id, state);

-- Who agreed to a call that waits, or waited, each person once.
CREATE TABLE approval_decisions (
  request_id TEXT   NOT NULL,
  human      TEXT   NOT NULL, -- the person, over all ways to sign in
  factor     TEXT   NOT NULL, -- role that the call needs, and for which this counts; empty: the requester
  role       TEXT   NOT NULL, -- by which the person may: that, or the one that a call is escalated to
  by_kind    TEXT   NOT NULL,
  by_id      TEXT   NOT NULL,
  by_as      TEXT   NOT NULL,
  org        TEXT   NOT NULL, -- of a Salesforce user; else empty
  decided_at BIGINT NOT NULL,
  auth_time  BIGINT NOT NULL, -- when the person proved who they are; 0: not known
  acr        TEXT   NOT NULL, -- and how
  mac        TEXT   NOT NULL,
  PRIMARY KEY (request_id, human)
);

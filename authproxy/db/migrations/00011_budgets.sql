-- +goose Up

-- How much of each budget was taken by each party in its present window. A row is begun
-- anew with the next window, so there is one for each budget and party.
CREATE TABLE budget_counts (
  scope      TEXT   NOT NULL, -- "policy NAME" or "org NAME"
  budget     TEXT   NOT NULL, -- what is counted
  org        TEXT   NOT NULL, -- of a user; else empty
  party      TEXT   NOT NULL, -- user or client id; empty: all together
  started_at BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL,
  taken      BIGINT NOT NULL, -- by processes, which may not have used all of it yet
  alarmed    BIGINT NOT NULL, -- 1: the level of the alarm was reached; 2: a call was refused
  PRIMARY KEY (scope, budget, org, party)
);
CREATE INDEX budget_counts_ends_at ON budget_counts (ends_at);
CREATE INDEX budget_counts_party ON budget_counts (org, party);

-- +goose Up

-- Messages to people about what waits for them: one for each target, event and thing.
CREATE TABLE notices (
  id         TEXT   NOT NULL PRIMARY KEY,
  target     TEXT   NOT NULL,
  event      TEXT   NOT NULL,
  about      TEXT   NOT NULL,               -- id of an approval; of an alarm its window and its budget
  body       TEXT   NOT NULL,               -- of an alarm: what it says
  created_at BIGINT NOT NULL,
  next_at    BIGINT NOT NULL,               -- of a waiting one: when it is tried, or tried again
  attempts   BIGINT NOT NULL DEFAULT 0,
  outcome    TEXT   NOT NULL DEFAULT '',    -- '' waits; sent, failed, moot
  problem    TEXT   NOT NULL DEFAULT '',    -- of the last attempt that failed
  ended_at   BIGINT NOT NULL DEFAULT 0,
  mac        TEXT   NOT NULL,               -- of what is said to whom
  UNIQUE (target, event, about)
);
CREATE INDEX notices_waiting ON notices (target, outcome, next_at);
CREATE INDEX notices_created ON notices (created_at);

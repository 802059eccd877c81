-- +goose Up

-- Bearer tokens of programs that use the security team's API.
CREATE TABLE api_tokens (
  token_hash   TEXT   NOT NULL PRIMARY KEY,
  id           TEXT   NOT NULL UNIQUE,
  name         TEXT   NOT NULL,
  role         TEXT   NOT NULL,
  created_by   TEXT   NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL, -- to the minute; 0: never
  revoked_at   BIGINT NOT NULL, -- 0: it is not
  mac          TEXT   NOT NULL
);

-- What their requests were answered, for those that come again.
CREATE TABLE api_replays (
  token_id       TEXT   NOT NULL,
  key_hash       TEXT   NOT NULL,
  request_digest TEXT   NOT NULL,
  sealed_answer  TEXT   NOT NULL, -- empty: begun, and not answered
  created_at     BIGINT NOT NULL,
  PRIMARY KEY (token_id, key_hash)
);
CREATE INDEX api_replays_created ON api_replays (created_at);

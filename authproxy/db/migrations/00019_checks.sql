-- +goose Up

-- The request of a call that this one takes back.
ALTER TABLE approvals ADD COLUMN undo_of TEXT NOT NULL DEFAULT '';
CREATE INDEX approvals_undo ON approvals (undo_of) WHERE undo_of <> '';

-- What was found out about a call after it was sent.
CREATE TABLE approval_checks (
  request_id        TEXT   NOT NULL PRIMARY KEY,
  verification      TEXT   NOT NULL DEFAULT '', -- as_intended, differs, unread; empty: nobody asked
  verified_at       BIGINT NOT NULL DEFAULT 0,
  sealed_images     TEXT   NOT NULL DEFAULT '', -- the record before and after
  happened          TEXT   NOT NULL DEFAULT '', -- yes or no, as a person says; empty: nobody has
  resolved_at       BIGINT NOT NULL DEFAULT 0,
  resolved_by_kind  TEXT   NOT NULL DEFAULT '',
  resolved_by_id    TEXT   NOT NULL DEFAULT '',
  resolved_by_as    TEXT   NOT NULL DEFAULT '',
  sealed_resolution TEXT   NOT NULL DEFAULT ''  -- what that person says
);

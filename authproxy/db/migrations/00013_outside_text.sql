-- +goose Up

-- To whose client text was given that people outside the company wrote, for rules that hold
-- or deny what follows on that.
CREATE TABLE outside_text (
  org         TEXT   NOT NULL,
  subject     TEXT   NOT NULL,
  client_id   TEXT   NOT NULL,
  counts_from BIGINT NOT NULL, -- when rules begin to count; at most a minute after the text was given
  sources     TEXT   NOT NULL, -- JSON: the last ones
  PRIMARY KEY (org, subject, client_id)
);
CREATE INDEX outside_text_counts_from ON outside_text (counts_from);

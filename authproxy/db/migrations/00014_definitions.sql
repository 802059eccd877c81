-- +goose Up

-- What hosted servers say of their tools, prompts, resource templates and operations: one
-- row for each text that was listed under a name (package definition). state: accepted
-- (one of a name at most), waiting, rejected. mac: authenticates what is accepted.
CREATE TABLE definitions (
    org             TEXT   NOT NULL,
    upstream        TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    digest          TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    why             TEXT   NOT NULL,
    text            TEXT   NOT NULL,
    seen_at         BIGINT NOT NULL,
    decided_at      BIGINT NOT NULL DEFAULT 0,
    decided_by_kind TEXT   NOT NULL DEFAULT '',
    decided_by_id   TEXT   NOT NULL DEFAULT '',
    decided_by_as   TEXT   NOT NULL DEFAULT '',
    mac             TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (org, upstream, kind, name, digest)
);
CREATE UNIQUE INDEX definitions_accepted ON definitions (org, upstream, kind, name) WHERE state = 'accepted';

-- The lists of which a first one was seen. changes rises with every definition that waits.
CREATE TABLE definition_lists (
    org      TEXT   NOT NULL,
    upstream TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    begun_at BIGINT NOT NULL,
    changes  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (org, upstream, kind)
);

-- +goose Up

-- Who decided an approval: the kind of actor, its id, and the person whom an operator named
-- with --as. decided_by stays for rows of earlier versions, in which a name that an
-- operator typed cannot be told from a user; it is shown as it is, and nothing follows
-- from it.
ALTER TABLE approvals ADD COLUMN decided_by_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN decided_by_id TEXT NOT NULL DEFAULT '';
ALTER TABLE approvals ADD COLUMN decided_by_as TEXT NOT NULL DEFAULT '';

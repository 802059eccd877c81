-- +goose Up

-- audit_persons: the key under which the audit log has what is about a person, and the pseudonym that
-- it has of them. subject and sealed_key are empty once the person was erased: the pseudonym
-- stays, so that a database that is put back knows it, and who comes back gets another one.
CREATE TABLE audit_persons (
    org        TEXT NOT NULL,
    pseudonym  TEXT NOT NULL,
    subject    TEXT NOT NULL,               -- Salesforce user id
    sealed_key TEXT NOT NULL,               -- bound to org, subject and pseudonym
    PRIMARY KEY (org, pseudonym)
);
CREATE UNIQUE INDEX audit_persons_subject ON audit_persons (org, subject) WHERE subject <> '';

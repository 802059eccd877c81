-- +goose Up

-- Why a Salesforce login is lost, or its last refresh failed, as package salesforce saw it:
-- what can be done (dead, transient, misconfigured, refused; empty: nothing failed), the
-- error code, a few words, the setting to look at, and whether an answer was lost on the
-- way. links.why stays for what ended a link here; in older rows it has the sentence that
-- was written of a failure, which is shown as it is.
ALTER TABLE links ADD COLUMN failure_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN failure_code TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN failure_text TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN failure_hint TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN failure_lost BOOLEAN NOT NULL DEFAULT FALSE;

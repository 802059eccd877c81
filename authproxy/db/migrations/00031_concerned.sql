-- +goose Up

-- Whoever looks at the calls that concern them finds these by index, the newest first: their own, and those about which
-- holders of their roles decide. No other index is in that order for one user, or knows who decides.
CREATE INDEX approvals_requester ON approvals (org, subject, created_at DESC, id);
CREATE INDEX approvals_asked ON approvals (approvers, terms, created_at DESC, id);

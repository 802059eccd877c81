-- +goose Up

-- One call has one request that is waiting or approved. Of those that time has ended and
-- nobody has written down yet, the newest may still be live.
UPDATE approvals SET state = 'expired' WHERE state IN ('pending', 'approved') AND EXISTS (
    SELECT 1 FROM approvals newer WHERE newer.binding_hash = approvals.binding_hash AND newer.state IN ('pending', 'approved')
    AND (newer.created_at > approvals.created_at OR newer.created_at = approvals.created_at AND newer.id > approvals.id));
CREATE UNIQUE INDEX approvals_live ON approvals (binding_hash) WHERE state IN ('pending', 'approved');

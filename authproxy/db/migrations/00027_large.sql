-- +goose Up

-- What a sweep looks for once a minute is found by an index, however many grants, tokens and requests there are.
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_revoked ON grants (revoked_at) WHERE revoked_at <> 0;
CREATE INDEX grants_unredeemed ON grants (expires_at) WHERE activated_at = 0;
CREATE INDEX refresh_tokens_idle ON refresh_tokens (idle_expires_at);
CREATE INDEX refresh_tokens_rotated ON refresh_tokens (rotated_at) WHERE sealed_successor <> '';
CREATE INDEX approvals_state ON approvals (state, expires_at);
CREATE INDEX approvals_expiry ON approvals (expires_at);
CREATE INDEX approvals_results ON approvals (spent_at) WHERE sealed_result <> '';
CREATE INDEX approvals_arguments ON approvals (decided_at) WHERE sealed_arguments <> '';
CREATE INDEX approvals_newest ON approvals (created_at DESC, id);

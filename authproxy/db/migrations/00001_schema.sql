-- One dialect for SQLite and PostgreSQL: TEXT, BIGINT, BOOLEAN only.
-- Times (*_at, *_until) are milliseconds since the Unix epoch; 0 means "not yet".
-- *_hash holds SHA-256 (base64url) of a secret that only its bearer has;
-- sealed_* holds ciphertext of seal.KeyRing.Seal.

-- +goose Up

-- meta: one row per fact about the database itself (which sealing key opens it).
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- epochs: counters that other processes poll; "access" rises with each change that takes access away.
CREATE TABLE epochs (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO epochs (name, value) VALUES ('access', 0);

-- Package grant ---------------------------------------------------------------

CREATE TABLE users (
    org           TEXT NOT NULL,
    subject       TEXT NOT NULL,             -- Salesforce user id, 18 characters
    username      TEXT NOT NULL DEFAULT '',  -- as Salesforce told it, lower case; '' while unknown
    name          TEXT NOT NULL DEFAULT '',
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    blocked_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (org, subject)
);
CREATE INDEX users_username ON users (username);

-- authorization_requests: one row from /oauth/authorize or /signin until its code or session is issued.
CREATE TABLE authorization_requests (
    request_hash        TEXT PRIMARY KEY,          -- of the id in the consent form
    kind                TEXT NOT NULL,             -- authorize, signin
    status              TEXT NOT NULL,             -- pending, sent (to Salesforce), done, denied
    org                 TEXT NOT NULL,
    server              TEXT NOT NULL DEFAULT '',
    resource            TEXT NOT NULL DEFAULT '',
    client_id           TEXT NOT NULL DEFAULT '',
    redirect_uri        TEXT NOT NULL DEFAULT '',
    state               TEXT NOT NULL DEFAULT '',  -- the client's, echoed byte for byte
    scope               TEXT NOT NULL DEFAULT '',
    code_challenge      TEXT NOT NULL DEFAULT '',
    return_to           TEXT NOT NULL DEFAULT '',  -- signin: same-origin path
    browser_hash        TEXT NOT NULL,             -- cookie of the browser that opened the request
    upstream_state_hash TEXT NOT NULL DEFAULT '',  -- our state at Salesforce, set when sent
    login_hash          TEXT NOT NULL DEFAULT '',  -- cookie set when sent, required at the callback
    sealed_verifier     TEXT NOT NULL DEFAULT '',  -- PKCE verifier of the Salesforce leg
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL
);
CREATE INDEX authorization_requests_state ON authorization_requests (upstream_state_hash);
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);

CREATE TABLE grants (
    id           TEXT PRIMARY KEY,
    org          TEXT NOT NULL,
    subject      TEXT NOT NULL,
    client_id    TEXT NOT NULL,
    server       TEXT NOT NULL,
    resource     TEXT NOT NULL,
    scope        TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,               -- absolute lifetime of its refresh tokens
    activated_at BIGINT NOT NULL DEFAULT 0,     -- code redeemed
    last_used_at BIGINT NOT NULL DEFAULT 0,
    revoked_at   BIGINT NOT NULL DEFAULT 0,
    revoked_why  TEXT NOT NULL DEFAULT ''
);
CREATE INDEX grants_user ON grants (org, subject);
CREATE INDEX grants_client ON grants (client_id);

CREATE TABLE codes (
    code_hash      TEXT PRIMARY KEY,
    grant_id       TEXT NOT NULL REFERENCES grants (id),
    client_id      TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    expires_at     BIGINT NOT NULL,
    failures       BIGINT NOT NULL DEFAULT 0,
    redeemed_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX codes_grant ON codes (grant_id);

CREATE TABLE access_tokens (
    token_hash TEXT PRIMARY KEY,
    grant_id   TEXT NOT NULL REFERENCES grants (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

CREATE TABLE refresh_tokens (
    token_hash       TEXT PRIMARY KEY,
    grant_id         TEXT NOT NULL REFERENCES grants (id),
    created_at       BIGINT NOT NULL,
    idle_expires_at  BIGINT NOT NULL,
    rotated_at       BIGINT NOT NULL DEFAULT 0,
    sealed_successor TEXT NOT NULL DEFAULT ''   -- under a key derived from the predecessor
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);

-- stops: the kill switch; the row 'mode' holds off, writes or all.
CREATE TABLE stops (
    name       TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);
INSERT INTO stops (name, value, changed_at, changed_by) VALUES ('mode', 'off', 0, '');

-- Package link ----------------------------------------------------------------

CREATE TABLE links (
    org               TEXT NOT NULL,
    subject           TEXT NOT NULL,
    state             TEXT NOT NULL,              -- active, needs_reauth, revoked
    version           BIGINT NOT NULL,            -- fencing number, rises with each token change
    sealed_access     TEXT NOT NULL,
    access_expires_at BIGINT NOT NULL,
    sealed_refresh    TEXT NOT NULL,
    lease_until       BIGINT NOT NULL DEFAULT 0,  -- nobody else begins a refresh of this version before then
    lease_holder      TEXT NOT NULL DEFAULT '',   -- process whose refresh is under way; '': a pause after a failure
    unanswered        BIGINT NOT NULL DEFAULT 0,  -- times this version's refresh token was sent and no answer is known
    why               TEXT NOT NULL DEFAULT '',   -- last refresh error, for the operator
    created_at        BIGINT NOT NULL,
    refreshed_at      BIGINT NOT NULL,
    PRIMARY KEY (org, subject)
);

-- upstream_revocations: refresh tokens that Salesforce must still be told to revoke.
CREATE TABLE upstream_revocations (
    id           TEXT PRIMARY KEY,
    org          TEXT NOT NULL,
    subject      TEXT NOT NULL,
    sealed_token TEXT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0,
    next_at      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX upstream_revocations_next ON upstream_revocations (next_at);

-- Package approval ------------------------------------------------------------

CREATE TABLE approvals (
    id               TEXT PRIMARY KEY,            -- apr_…; a name, not a capability
    binding_hash     TEXT NOT NULL,               -- requester, org, client, server, tool, definition, arguments, policy
    state            TEXT NOT NULL,               -- pending, approved, denied, spent, void, (expired: by time)
    org              TEXT NOT NULL,
    subject          TEXT NOT NULL,
    grant_id         TEXT NOT NULL,
    client_id        TEXT NOT NULL,
    server           TEXT NOT NULL,
    tool             TEXT NOT NULL,
    class            TEXT NOT NULL,
    policy_version   TEXT NOT NULL,
    definition_hash  TEXT NOT NULL,
    arguments_digest TEXT NOT NULL,
    sealed_arguments TEXT NOT NULL,
    approvers        TEXT NOT NULL,               -- requester, role:NAME
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    decided_at       BIGINT NOT NULL DEFAULT 0,
    decided_by       TEXT NOT NULL DEFAULT '',
    spent_at         BIGINT NOT NULL DEFAULT 0,
    outcome          TEXT NOT NULL DEFAULT '',    -- after spending: '', done, failed, unknown
    sealed_result    TEXT NOT NULL DEFAULT '',    -- the answer, for an identical repeat
    why              TEXT NOT NULL DEFAULT ''     -- void: what ended it
);
CREATE INDEX approvals_binding ON approvals (binding_hash, state);
CREATE INDEX approvals_user ON approvals (org, subject, state);

-- Package audit ---------------------------------------------------------------

CREATE TABLE audit_entries (
    seq   BIGINT PRIMARY KEY,
    at    BIGINT NOT NULL,
    actor TEXT NOT NULL,                          -- indexed copies of what filters ask for
    action TEXT NOT NULL,
    tool  TEXT NOT NULL DEFAULT '',
    entry TEXT NOT NULL,                          -- the entry, canonical JSON
    mac   TEXT NOT NULL                           -- HMAC over the previous mac and entry
);
CREATE INDEX audit_entries_at ON audit_entries (at);
CREATE INDEX audit_entries_actor ON audit_entries (actor, seq);

-- Package ui ------------------------------------------------------------------

CREATE TABLE browser_sessions (
    session_hash TEXT PRIMARY KEY,
    org          TEXT NOT NULL,
    subject      TEXT NOT NULL,
    csrf_hash    TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX browser_sessions_user ON browser_sessions (org, subject);
CREATE INDEX browser_sessions_expiry ON browser_sessions (expires_at);

-- Package mcpforward ----------------------------------------------------------

CREATE TABLE mcp_sessions (
    session_hash     TEXT PRIMARY KEY,
    grant_id         TEXT NOT NULL,
    protocol_version TEXT NOT NULL,
    client_info      TEXT NOT NULL,               -- name and version as the client claims
    ui               BOOLEAN NOT NULL,            -- client declared io.modelcontextprotocol/ui
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL
);
CREATE INDEX mcp_sessions_grant ON mcp_sessions (grant_id);
CREATE INDEX mcp_sessions_expiry ON mcp_sessions (expires_at);

// Package salesforcesim is a simulated Salesforce: enough of its login hosts, keys,
// hosted MCP gateway and records that an MCP proxy can be tried and tested against it
// over real HTTP. It behaves as Salesforce was seen to behave, inconvenience included;
// what nobody has confirmed is a switch. It imports nothing of the product. The records of
// an org and the query engine over them are the package records.
//
// # Hosts
//
// One listener plays all hosts. The base URL (Config.BaseURL) is
//
//   - the login host and My Domain of the first org:
//     /services/oauth2/{authorize,token,revoke,introspect,userinfo,register}, /id/keys,
//     /id/{org}/{user}, /.well-known/openid-configuration, the login form and the
//     approval page;
//   - the gateway, as api.salesforce.com: /platform/mcp/v1/{namespace}/{server}, also
//     as sandbox/…, d/{mydomain}/…, d/{mydomain}/sandbox/…, d/{mydomain}/scratch/…,
//     d/{mydomain}/develop/…; and its discovery documents
//     /.well-known/oauth-protected-resource[/…] and
//     /.well-known/oauth-authorization-server/….
//
// Every further org has its login host and My Domain under /orgs/NAME. Its login URL,
// JWT issuer and instance URL is that base. The gateway learns the org from the token,
// as the real one does. Where the real hosts differ on one path, the login host wins:
// /.well-known/oauth-authorization-server without a further path is 404, as on
// login.salesforce.com.
//
// # Parts
//
// [Sim] holds the state and what tests do with it; every other part has its own type:
//
//   - hosts (hosts.go) sends a request to the org and the part that its path names;
//   - loginPages (authorize.go, loginpages.go, pages.go) is what a browser meets:
//     authorization, login and approval;
//   - oauthEndpoints (oauthendpoints.go, token.go, revoke.go, introspect.go, identity.go,
//     discovery.go) is what programs call on a login host, and the discovery documents;
//   - grantStore (grantstore.go, jwt.go) makes, finds and ends grants and tokens;
//   - signingKeys (keys.go) makes and finds the keys that sign access tokens;
//   - gateway (gateway.go, bearer.go, session.go) is the hosted MCP servers; one request
//     to it is an exchange (gateway.go, answer.go);
//   - controlAPI (control.go) is the control API;
//   - recorder (recorder.go) keeps the requests that arrived.
//
// The tools of the hosted servers are listed in catalogue.go and run by tools.go.
//
// # Default org
//
// One production org "acme" (OrgID), a public and a confidential External Client App,
// two users (DefaultUsers), and all hosted servers active. Callbacks come from
// Config.Callbacks. A further org without users or apps of its own gets the same ones,
// with ".NAME" after usernames and consumer keys. The confidential app runs as the first
// user where client_credentials is on.
//
// # Configuration file
//
// "sfmcp-proxy salesforce-sim --config FILE" reads a [Config] from YAML or JSON
// ([ReadConfig]); a key that it does not know is an error:
//
//	orgs:
//	  - name: north
//	    kind: sandbox
//	    users:
//	      - {username: ada@north.example, password: one, role: CEO, hidden_objects: [Secret__c]}
//	    apps:
//	      - {client_id: app, callbacks: ["https://proxy.example/oauth/callback"], jwt_lifetime: 5m}
//	    records:                       # instead of the demonstration's
//	      - {object: Account, key: first, fields: {Name: First}}
//	      - {object: Task, fields: {Subject: Call, WhatId: "@first", ActivityDate: TODAY+3}}
//	servers: [platform/sobject-reads]  # active ones
//	switches: {advertise_s256: true}   # on from the start and after a reset
//
// With --state FILE, what happened survives a restart. Without --insecure-listen it
// keeps to loopback addresses: its passwords are public, and its control API asks for none.
// [Flags] has every option of that command.
//
// # Signing in
//
// authorize checks client, callback, host, response type, PKCE and scope in this order
// and sends the browser to /setup/secur/RemoteAccessAuthorizationPage.apexp, so that a
// redirect there shows without a browser that client and callback are right. The login
// form has the fields username and password and a button "Log In"; the approval page
// has buttons decision=allow and decision=deny. The login is kept in a cookie. The
// approval page is shown once per user and app, until the user's last grant for the app
// is revoked. The sixth approval ends the oldest grant. Codes last 15 minutes and are
// spent by the first attempt. Access tokens are JWTs without expires_in beside them;
// refresh tokens rotate. Tokens with the scope api come out opaque, and the gateway
// refuses them. With Config.StateFile all of this survives a restart, and so do
// records: a change that was answered is on disk. MCP sessions and the rest of long
// query answers end with the process.
//
// In tests, [Browser] walks these pages and [Sim.IssueTokens] skips them.
//
// # Gateway
//
// A POST goes through: bearer token, its validity, method, Accept, server active,
// JSON-RPC, session, then the method; the first that fails answers. Sessions
// (Mcp-Session-Id) belong to one user and one server and end after 30 idle minutes.
// tools/list before notifications/initialized answers 200 without a body.
//
// # Control API
//
// HTTP and JSON on a listener of its own, without authentication. A refusal is
// {"error": "…"} with status 400 or 404. Every endpoint that concerns one org takes
// ?org=NAME; without it, it is the first.
//
//	GET    /faults                        the switches (type Switches)
//	PUT    /faults                        replace them: what the body does not name is off
//	PATCH  /faults                        change those that the body names
//	GET    /requests?path=&method=&rpc=&tool=&after=
//	                                      recorded requests (type Request), oldest first: path is
//	                                      part of the path, rpc a JSON-RPC method, after a sequence
//	                                      number; &raw=1 shows Authorization as it was sent
//	DELETE /requests?…                    forget them; the same filters
//	GET    /users                         users with passwords; frozen or not
//	POST   /users/{username}/freeze       freeze a user
//	POST   /users/{username}/unfreeze
//	GET    /grants?username=&client_id=&grant=
//	                                      approvals of users for apps (type Grant)
//	POST   /grants/revoke                 {"username","client_id","grant"}, each optional: revoke
//	                                      as an administrator; answers {"revoked": n}
//	GET    /tokens?username=&client_id=&grant=
//	                                      refresh tokens by SHA-256 with state live, rotated or
//	                                      revoked (type RefreshToken)
//	POST   /keys/rotate                   new signing key; answers {"kid"}; the former one stays
//	                                      published, the one before goes
//	GET    /records/{sobject}             all records of an object, whatever anyone may see
//	GET    /servers                       hosted servers: name to active
//	POST   /servers/{ns}/{name}/activate  reaches the gateway after two minutes of simulated time;
//	                                      ?at_once=1 at once
//	POST   /servers/{ns}/{name}/deactivate
//	POST   /sessions/expire               end every MCP session; answers {"expired": n}
//	GET    /clock                         {"skew","now"}
//	POST   /clock                         {"skew":"-5m"}: Salesforce's clock is that far ahead of
//	                                      the real one
//	PUT    /callbacks                     ["https://…"]: the callbacks of every app
//	PUT    /definitions                   [Definitions]: what hosted servers list in another way
//	POST   /reset                         forget logins, tokens, sessions, changes of records and
//	                                      definitions, switches, skew and requests
//
// # Switches
//
// [Switches] has every switch with its meaning and its name in JSON. By subject:
//
//   - everywhere: down, redirect_to;
//   - apps and sign-in: app_not_propagated, app_disabled, callback_not_propagated,
//     ip_restricted, max_approvals;
//   - token endpoint: invalid_verifier, no_rotation, refresh_reuse, client_credentials,
//     access_token_lifetime, opaque_tokens, token_errors with token_status,
//     token_replies_lost, token_refusal, token_delay, revoke_down;
//   - access tokens and keys: hostile_token, keys_down, revocation_lag;
//   - discovery: advertise_s256, authorize_without_query, resource_metadata_404,
//     server_metadata_404, resource_names_itself;
//   - gateway, doubtful behaviour: authenticate_header, delete_accepted,
//     inactive_server_405, lenient_paths, unknown_tool_is_error,
//     list_before_initialized, duplicate_session_headers;
//   - gateway, sessions and limits: session_death, not_initialized, initialize_delay,
//     daily_limit_reached, limit_signal;
//   - gateway, transport: framing, method, empty_answers, truncated_streams,
//     dropped_connections, html_errors with html_status, before_effect,
//     wrong_answer_ids, answer_delay, answers_held, progress_notifications,
//     server_request;
//   - tools: dialect, annotations, drift, api_access_control, unexpected_errors,
//     update_always_unexpected, big_answer, malformed_tool.
//
// # What it does not do
//
// No id_token, no flows but the code, refresh and client-credentials grants, no REST
// API, no Setup pages. Where Salesforce's behaviour is unknown and no switch covers it,
// the code says what was assumed. The pages say that they are a simulation.
package salesforcesim

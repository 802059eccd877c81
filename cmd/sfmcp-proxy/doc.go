// Command sfmcp-proxy is the authorization proxy between MCP clients and Salesforce
// Hosted MCP.
//
// # A tour, bottom up
//
// [sfmcp-proxy/authproxy/seal] seals what may not lie in the database in the clear, by keys that
// [sfmcp-proxy/authproxy/seal/awskms] can have encrypted by AWS,
// [sfmcp-proxy/authproxy/seal/pkcs11] by a token, and
// [sfmcp-proxy/authproxy/db] opens that; [sfmcp-proxy/authproxy/db/move] moves all of it to
// PostgreSQL, and [sfmcp-proxy/authproxy/db/reseal] seals it with a new key. [sfmcp-proxy/mcpforward/jsonrpc] reads one message strictly, once.
// [sfmcp-proxy/authproxy/nearest] finds the name that a mistyped one was meant for.
// [sfmcp-proxy/authproxy/policy] decides, without any input or output, what a call is
// (read, create, update, delete, …) and whether it is allowed, needs a person, or is
// denied; [sfmcp-proxy/authproxy/policy/reach] reads what a call reaches for it, and
// [sfmcp-proxy/authproxy/policy/soql] parses queries;
// [sfmcp-proxy/authproxy/policy/condition] evaluates the conditions of rules;
// [sfmcp-proxy/authproxy/policy/analysis] says what rules mean before any call;
// [sfmcp-proxy/authproxy/policy/mask] hides fields in answers, and knows which calls would
// find them out.
// [sfmcp-proxy/authproxy/actor] names who acts. [sfmcp-proxy/authproxy/jwks] holds
// published keys within bounds.
// [sfmcp-proxy/authproxy/tunnel] connects through a company's forward proxy, and
// [sfmcp-proxy/authproxy/receiver] posts through a guard to receivers that the operator names.
// [sfmcp-proxy/authproxy/salesforce] speaks OAuth with Salesforce and uses
// no token that it has not verified. [sfmcp-proxy/authproxy/clientdoc] fetches the
// documents by which MCP clients describe themselves, through a guard of its own.
// [sfmcp-proxy/authproxy/company] signs people in with the company's identity provider.
// [sfmcp-proxy/authproxy/party] says which network addresses are one party, and
// [sfmcp-proxy/authproxy/shared] makes an answer once for all who ask at about the same time.
// [sfmcp-proxy/authproxy/audit/logfile] keeps numbered records in files that only grow, or
// [sfmcp-proxy/authproxy/audit/logrows] in rows of the database,
// [sfmcp-proxy/authproxy/audit/postings] finds them again,
// [sfmcp-proxy/authproxy/audit/tree] proves what is in them, and its signed checkpoints go to
// places out of reach ([sfmcp-proxy/authproxy/audit/publish]) and to witnesses
// ([sfmcp-proxy/authproxy/audit/witness]); where several replicas share a database,
// [sfmcp-proxy/authproxy/audit/roster] has the log of each say what it sees of the others.
// [sfmcp-proxy/authproxy/audit/destination] gives records to syslog, a bucket and other
// receivers of logs.
// [sfmcp-proxy/authproxy/ui] draws pages.
//
// On these stand the parts that store something: [sfmcp-proxy/authproxy/client] (which
// programs may ask, and how they prove who they are), [sfmcp-proxy/authproxy/grant] (who gave
// which client access, and the tokens that stand for it),
// [sfmcp-proxy/authproxy/link] (one Salesforce login per user, refreshed by one caller
// at a time), [sfmcp-proxy/authproxy/approval] (writes that wait for a person;
// [sfmcp-proxy/authproxy/approval/insights] says of many how they were decided,
// [sfmcp-proxy/authproxy/approval/evidence] makes one record of all that is known of one),
// [sfmcp-proxy/authproxy/budget] (how much of what was done in a time),
// [sfmcp-proxy/authproxy/outside] (who was given text that outsiders wrote),
// [sfmcp-proxy/authproxy/notice] (who learns that a call waits),
// [sfmcp-proxy/authproxy/definition] (what hosted servers say of their tools, and who accepted
// it),
// [sfmcp-proxy/authproxy/apitoken] (tokens of programs for the security team's API),
// [sfmcp-proxy/authproxy/audit] (what happened, so that anybody with the public key can tell
// that nothing was changed; [sfmcp-proxy/authproxy/audit/export] writes its entries in other
// formats, and follows it to destinations), and
// [sfmcp-proxy/mcpforward/upstream] (MCP sessions with Salesforce, opened anew when they
// end). [sfmcp-proxy/mcpforward/limit] bounds what one user asks for,
// [sfmcp-proxy/mcpforward/schema] remembers what orgs said of their objects,
// [sfmcp-proxy/mcpforward/preview] asks what Salesforce has of what a call that waits would
// change,
// [sfmcp-proxy/mcpforward/records] reads for the audit log what an answer gives away, and
// [sfmcp-proxy/mcpforward/stream] writes answers as JSON or as an event stream.
// [sfmcp-proxy/mcpforward/traces] tells a collector of calls, in spans without arguments.
//
// [sfmcp-proxy/authproxy/access] knows who may use what: servers, orgs, groups, blocks, the
// kill switch. Whatever lets somebody in asks it, and nothing else decides that.
//
// [sfmcp-proxy/authproxy/people] knows who signed in with the company, which roles they hold
// now, and which Salesforce user is the same human.
//
// [sfmcp-proxy/authproxy/oversight] reads what a security team looks at.
//
// Three packages face the outside. [sfmcp-proxy/authproxy] is the authorization server
// for MCP clients: authorize, consent, callback, token, revoke.
// [sfmcp-proxy/authproxy/console] has the pages for people: how to connect, connections,
// approvals; [sfmcp-proxy/authproxy/console/team] those of the security team, under
// /console; [sfmcp-proxy/authproxy/console/api] answers programs of theirs, under /console/api.
// [sfmcp-proxy/mcpforward] is the protected resource: it authenticates a call, has it decided,
// records it, forwards it.
//
// [sfmcp-proxy/authproxy/reports] says of a time what happened, for people who were not there;
// [sfmcp-proxy/authproxy/pack] packs entries with their proofs for them, and checks such packs;
// [sfmcp-proxy/authproxy/packing] says which entries that are, whoever asks;
// [sfmcp-proxy/authproxy/review] reads access reviews from the log;
// [sfmcp-proxy/authproxy/reconcile] compares it with those of ChatGPT and Salesforce.
//
// [sfmcp-proxy/config] reads the configuration, and says it in the words of each part.
//
// Five packages serve the command alone. [sfmcp-proxy/cmd/sfmcp-proxy/edge] is what a
// request passes on its way in: bounded connections, load, source address, limits by
// address, certificate, access record, metrics. [sfmcp-proxy/cmd/sfmcp-proxy/doctor] looks
// at Salesforce from here and says which setting to change.
// [sfmcp-proxy/cmd/sfmcp-proxy/signals] counts what becomes of calls, for Prometheus.
// [sfmcp-proxy/cmd/sfmcp-proxy/listing] prints what commands list.
// [sfmcp-proxy/cmd/sfmcp-proxy/demonstration] sets up what 'demo' runs in front of a
// simulated Salesforce ([sfmcp-proxy/examples/salesforcesim]).
//
// This package joins everything, in three objects. process (process.go, reload.go) is what
// stays through reloads: listeners, the edge, signals, the drain. product (product.go,
// routes.go) is what answers on one configuration: handlers, the pool of sessions with
// Salesforce, work beside requests; a reload opens another one and lets this one end.
// stores (stores.go) is what remembers, with the way to Salesforce apart from it
// (outbound.go): commands that look at something, or take access away, open the stores
// alone (command.go). One file a noun begins with its commands: users.go, grants.go,
// sessions.go, consoleroutes.go (console), consoleapi.go (its tokens), clients.go, approvals.go, notices.go, budgets.go, tools.go,
// auditlog.go, exports.go, erase.go, policy.go, stop.go, incident.go, key.go, migrate.go, report.go, evidencepack.go, review.go,
// reconcile.go; and of those without a noun serve.go, check.go, doctor.go, healthcheck.go, demo.go, sim.go, version.go, completion.go.
//
// # What to read for a question
//
// How a call is handled: mcpforward/doc.go, then mcpforward/call.go from top to bottom. How
// a user signs in: authproxy/authorize.go, authproxy/consent.go, authproxy/callback.go,
// authproxy/token.go. How access ends: authproxy/cutoff.go, authproxy/contain.go. How a Salesforce login is
// renewed, lost and repaired: authproxy/link/refresh.go, authproxy/console/lost.go,
// authproxy/signin.go. How a request reaches a handler: cmd/sfmcp-proxy/edge/middleware.go,
// then cmd/sfmcp-proxy/routes.go. What happens on SIGHUP: cmd/sfmcp-proxy/reload.go; on
// SIGTERM: cmd/sfmcp-proxy/process.go. More questions: CONTRIBUTING.md, "Where is …".
// Threats, requirements and their ids: authproxy/THREATS.md. Why something is as it is: the DESIGN.md beside the
// code.
package main

// Command sfmcp-proxy is the authorization proxy between MCP clients and Salesforce
// Hosted MCP.
//
// # A tour, bottom up
//
// [sfmcp-proxy/authproxy/seal] seals what may not lie in the database in the clear, and
// [sfmcp-proxy/authproxy/db] opens that. [sfmcp-proxy/mcpforward/jsonrpc] reads one message strictly, once.
// [sfmcp-proxy/authproxy/policy] decides, without any input or output, what a call is
// (read, create, update, delete, …) and whether it is allowed, needs a person, or is
// denied; [sfmcp-proxy/authproxy/policy/soql] parses queries for it.
// [sfmcp-proxy/authproxy/actor] names who acts. [sfmcp-proxy/authproxy/jwks] holds published keys within bounds.
// [sfmcp-proxy/authproxy/salesforce] speaks OAuth with Salesforce and uses
// no token that it has not verified. [sfmcp-proxy/authproxy/clientdoc] fetches the
// documents by which MCP clients describe themselves, through a guard of its own.
// [sfmcp-proxy/authproxy/ui] draws pages.
//
// On these stand the parts that store something: [sfmcp-proxy/authproxy/client] (which programs may
// ask, and how they prove who they are), [sfmcp-proxy/authproxy/grant] (who gave
// which client access, and the tokens that stand for it),
// [sfmcp-proxy/authproxy/link] (one Salesforce login per user, refreshed by one caller
// at a time), [sfmcp-proxy/authproxy/approval] (writes that wait for a person),
// [sfmcp-proxy/authproxy/audit] (what happened, in a chain that shows tampering), and
// [sfmcp-proxy/mcpforward/upstream] (MCP sessions with Salesforce, opened anew when they
// end). [sfmcp-proxy/mcpforward/limit] bounds what one user asks for, and
// [sfmcp-proxy/mcpforward/stream] writes answers as JSON or as an event stream.
//
// [sfmcp-proxy/authproxy/access] knows who may use what: servers, orgs, groups, blocks, the
// kill switch. Whatever lets somebody in asks it, and nothing else decides that.
//
// Three packages face the outside. [sfmcp-proxy/authproxy] is the authorization server
// for MCP clients: authorize, consent, callback, token, revoke.
// [sfmcp-proxy/authproxy/console] has the pages for people: how to connect, connections,
// approvals. [sfmcp-proxy/mcpforward] is the protected resource: it authenticates a
// call, has it decided, records it, forwards it.
//
// [sfmcp-proxy/config] reads the configuration. This package joins everything. What belongs
// to the process stands in process.go (listeners, signals, drain) and reload.go (a new
// configuration takes over); what belongs to one configuration in product.go (handlers and
// the work beside requests), stores.go (what commands open, too) and wiring.go (settings in
// the words of each part). routes.go is the URL table. One file a noun holds the commands.
// [sfmcp-proxy/cmd/sfmcp-proxy/edge] is what a request passes first: connections, load,
// limits by address, certificate, log writer, metrics.
// [sfmcp-proxy/cmd/sfmcp-proxy/doctor] says what is wrong at Salesforce or in front of us,
// [sfmcp-proxy/cmd/sfmcp-proxy/listing] prints rows and tables, and
// [sfmcp-proxy/cmd/sfmcp-proxy/demonstration] puts the whole in front of a simulated
// Salesforce ([sfmcp-proxy/examples/salesforcesim]).
//
// # What to read for a question
//
// How a call is handled: mcpforward/doc.go, then mcpforward/call.go from top to bottom. How
// a user signs in: authproxy/authorize.go, authproxy/consent.go, authproxy/callback.go,
// authproxy/token.go. How access ends: authproxy/cutoff.go. How a Salesforce login is
// renewed, lost and repaired: authproxy/link/refresh.go, authproxy/console/lost.go,
// authproxy/signin.go. More questions: CONTRIBUTING.md, "Where is …". Threats, requirements
// and their ids: authproxy/THREATS.md. Why something is as it is: the DESIGN.md beside the
// code.
package main

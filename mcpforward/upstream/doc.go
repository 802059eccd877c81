// Package upstream is the MCP client of Salesforce's hosted MCP servers.
//
// Salesforce speaks the session protocol of MCP (2025-06-18) over one Streamable
// HTTP endpoint per server: initialize, then a session id that goes with every
// request and dies without notice. [Pool] owns these sessions. It keeps one per
// org, user, server and user-interface capability, opens it when a call needs it,
// once for all callers that wait for it, and replaces it when Salesforce no longer
// knows it. Sessions of one key never wait for another key's.
//
// [Pool.Call] sends one request and returns its [Answer]: the progress
// notifications of this request, then its response. The HTTP request is built
// fresh from the parsed message: fixed URL, fixed set of headers, the user's
// Salesforce token as the only credential, an id and a progress token of ours
// that are mapped back. Of what Salesforce sends only that response and those
// notifications pass. Requests that Salesforce makes of a client are dropped and
// not answered, as are log messages, other ids and second responses.
//
// A request is sent again only where that cannot do anything twice:
//
//   - 401: once, with a renewed token. Salesforce refused before acting.
//   - session unknown (400, 404): once, on a new session. Likewise.
//   - nothing of the request's body left this process: once.
//   - 5xx, lost connections, answers that break off, Salesforce's "Unexpected
//     error while invoking tool": once, and only what the caller calls repeatable.
//
// The transport itself never repeats a request: it is given no way to rewind the
// body. Everything else ends in an [*Error] whose MayHaveHappened tells whether
// Salesforce may have acted.
//
// When the caller goes away or the time is up, the connection is closed and
// Salesforce is told by notifications/cancelled. [Pool.Forget] ends the sessions
// and calls of one user at once. Sessions are not deleted at Salesforce, which
// answers DELETE with 405 and lets them expire. There is no GET stream and no
// resumption, for the same reason.
//
// The package does not decide, does not read arguments, and keeps no token beyond
// a call. Neither errors nor logs carry text of Salesforce's, which may echo
// tokens and records; only the name of a tool that is listed twice is logged.
package upstream

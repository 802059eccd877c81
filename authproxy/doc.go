// Package authproxy is the OAuth 2.1 authorization server towards MCP clients, and the
// browser's way to Salesforce and back.
//
// It publishes its metadata (RFC 8414, RFC 9728), asks a person whether a client may
// use one MCP endpoint, sends the person to Salesforce, and turns what comes back into
// a grant and a code for the client, or into a browser session. Clients exchange codes
// and refresh tokens at its token endpoint and revoke at its revocation endpoint.
//
// The way of one authorization; [Server.Register] has every address:
//
//	GET  /oauth/authorize   client and redirect URI are checked, the request is stored
//	                        for this browser, the consent page is shown
//	POST /oauth/consent     allow: to Salesforce, with a state, a PKCE challenge and a
//	                        login cookie that exist from here on; deny: to the client
//	GET  /oauth/callback    state and cookie fit, code exchanged, user and server
//	                        checked, recorded, grant and code made: to the client
//	POST /oauth/token       code to tokens, refresh token to tokens
//	POST /oauth/revoke      RFC 7009
//	POST /oauth/register    RFC 7591, where it is switched on
//
// /signin goes the same way without a client and ends in a browser session. Where the company's identity
// provider is configured, people sign in with it besides, under /oauth/company, and have roles by it.
//
// Handlers return errors; one adapter per protocol renders them: a page, a redirect to
// the client, or JSON. The text of an error for the outside is written where it is made;
// its cause goes to the log alone.
//
// [Cutoff] takes access away: for the revocation endpoint, the console and the command
// line. It acts first and records afterwards, while everything that gives access is
// recorded before it takes effect. [Decisions] takes decisions about calls that wait, [Definitions] about
// definitions, [Reviews] about access; [Lifecycle] ends what nobody uses.
//
// The package keeps no state of its own: grants are package grant's, logins package
// link's, browser sessions package ui's; who may use which server is package access's to
// say. It does not serve MCP and decides no call.
package authproxy

// Package salesforce is the OAuth client of Salesforce: it sends a person to the
// login host with PKCE S256, exchanges the code, refreshes, revokes, and verifies
// every access token when it arrives.
//
// Targets are configured, never discovered. The login host's authorize, token and
// revoke endpoints and the key set all come from [Org]; what Salesforce answers
// (instance_url, id, Location) never chooses where a request goes, because a token
// follows the request. Redirects are not followed and proxies of the environment are
// not used, see [NewHTTPClient].
//
// An access token must be one of Salesforce's JWTs (RFC 9068 in spirit, Salesforce's
// own profile in detail): RS256 by a key of the org's pinned set, header tty
// "sfdc-core-token" and tnk naming the configured org, claims iss, aud, client_id,
// scp, sub, iat, nbf and exp as configured. Its exp is its lifetime; Salesforce sends
// no expires_in. An opaque token, a wider scope or a token of another org is refused,
// and what came with it is revoked: by [Client.Exchange] itself, and after
// [Client.Refresh] by the caller, who gets it in [Error.Received].
//
// The key set is fetched from the configured URL alone (package jwks has its bounds).
// While no key is to be had no token verifies, and none is asked for. DESIGN.md tells
// which part of a token is read by whom, and in which order.
//
// All failures are [*Error]; codes.go has every code there is. Kind says what can be
// done: sign in again, wait, change a setting (Hint says which), or nothing, because the
// answer was not to be believed. Its Lost says that the request may have been carried out although no
// answer arrived; with rotating refresh tokens that is a fact to keep.
//
// The package keeps no token. Storing, single flight and retries belong to package
// link; a request is sent once here.
package salesforce

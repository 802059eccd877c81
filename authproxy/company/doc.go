// Package company signs people in with the company's identity providers: OpenID Connect, the
// code flow with PKCE, state and nonce (OpenID Connect Core 3.1, RFC 7636, RFC 9700).
//
// [SignIn.Start] says where the browser goes; [SignIn.Finish] takes the answer and returns an
// [Identity]: who it is (issuer and subject, never an e-mail address), how and when they proved
// it, and those of their groups that give a role. [SignIn.Roles] is the one place that knows
// which roles an identity has.
//
// # What binds an answer to a browser
//
// Nothing is stored between the two steps, so nobody can fill anything by beginning sign-ins.
// The browser holds one secret in a cookie, from which nonce and code verifier follow; the state
// says what was begun and when, with a MAC over it and the secret. An answer in another browser,
// for another state, or after [AttemptLifetime] is refused ([ErrOtherBrowser], [ErrOver]).
//
// # What an id token must be
//
// Signed with RS256 or ES256 by a key that the provider publishes (package jwks), of exactly
// the configured issuer, for our client alone, or with us as azp where it has more than one
// audience; not expired, issued within the last minutes, with our nonce. Names must not come
// twice. Where a fresh sign-in was asked for, auth_time and acr must say so. A groups claim that
// is no list of texts is refused whole, since nobody knows what it meant. Where the id token has
// no such claim and a role names groups, the provider's userinfo endpoint is asked, whose answer
// must be about the same subject (OpenID Connect Core 5.3.2); nothing else is taken from it.
// Everything else is [ErrRefused]; a provider that does not answer is [ErrUnavailable].
//
// Endpoints come from the provider's metadata (OpenID Connect Discovery 4), which must name the
// configured issuer and https, or http where the issuer itself is on a loopback address.
package company

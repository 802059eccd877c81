// Package companysim simulates a company's identity provider: OpenID Connect with the code
// flow, PKCE S256, nonce, max_age, acr_values and prompt, and users who have groups and a way
// of signing in.
//
// It is strict where providers are: a code is spent once and only with its verifier, its
// client and its redirect URI. [Faults] make it answer wrongly in one way at a time, for tests
// of what must be refused. It takes nothing from the product, so that the two do not share a
// mistake.
package companysim

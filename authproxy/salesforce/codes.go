package salesforce

import (
	"slices"
	"strings"
)

// This file holds every error code that means something to the proxy: what Salesforce's
// login host answers with, and what this package and package link find wrong by
// themselves; each with what can be done and the setting behind it.

// Codes of Salesforce's that callers tell apart.
const (
	// InvalidClientID: there is no External Client App with that consumer key.
	InvalidClientID = "invalid_client_id"
	// RedirectMismatch: the app does not have our callback URL.
	RedirectMismatch = "redirect_uri_mismatch"
	// InvalidScope and UnsupportedScope: the app may not ask for a scope.
	InvalidScope, UnsupportedScope = "invalid_scope", "unsupported_scope"
	// InvalidRequest: a parameter is missing, of which PKCE's is the one that matters.
	InvalidRequest = "invalid_request"
)

// Codes of ours that callers tell apart, or give.
const (
	// WrongDomain: the host is Salesforce's, but not that of the org with the app.
	WrongDomain = "wrong_domain"
	// NoSignInPage: the answer neither leads to a sign-in page nor names an error.
	NoSignInPage = "no_sign_in_page"
	// WrongSubject: the token is of another user, or of none.
	WrongSubject = "wrong_subject"
	// NotReadable: what is stored of a login does not open. Salesforce has not ended it.
	NotReadable = "not_readable"
)

// Codes of ours that are for this package alone.
const (
	network         = "network"
	nameUnresolved  = "dns"
	tlsFailed       = "tls"
	notHeld         = "not_held"       // not sent, see WhileHeld
	outboundProxy   = "outbound_proxy" // the company's forward proxy, not Salesforce
	answerLost      = "answer_lost"    // names an error with Lost
	unavailable     = "unavailable"
	malformedAnswer = "malformed_answer" // came whole and is none
	emptyAnswer     = "empty_answer"
	noKeys          = "keys_unavailable"
	unknownKey      = "unknown_key"
	ambiguousKey    = "ambiguous_key"
	badSignature    = "bad_signature"
	opaqueToken     = "opaque_token"
	malformedToken  = "malformed_token"
	wrongAlgorithm  = "wrong_algorithm"
	wrongHeader     = "wrong_header"
	wrongType       = "wrong_token_type"
	wrongOrg        = "wrong_org"
	wrongIssuer     = "wrong_issuer"
	wrongAudience   = "wrong_audience"
	wrongClient     = "wrong_client"
	wrongTime       = "wrong_time"
	expired         = "expired" // a clock makes this one and the next, ours or Salesforce's
	notYetValid     = "not_yet_valid"
	missingScope    = "missing_scope"
	widerScope      = "wider_scope"
	noRefreshToken  = "no_refresh_token"
	redirected      = "redirected"
	wrongHost       = "wrong_host"
	unusableKeySet  = "no_keys"
	noGateway       = "no_gateway"
	unknownOrg      = "unknown_org"
	unusableURL     = "bad_url"
)

// Setup pages of Salesforce, as an operator finds them.
const (
	setupPolicies = "Setup > External Client App Manager > (the app) > Policies > OAuth Policies"
	setupSettings = "Setup > External Client App Manager > (the app) > Settings > OAuth Settings"
	loginHistory  = "Setup > Login History"
	oauthUsage    = "Setup > OAuth Usage"
)

// AppSettings is the Setup page of the External Client App, as an operator finds it.
const AppSettings = setupSettings

// Hints that stand at several codes.
const (
	signInAgain   = "the user signs in again"
	hintCode      = signInAgain + "; a code is good for 15 minutes and once, " + loginHistory + " shows the attempt"
	hintScopes    = setupSettings + " > OAuth Scopes: Access Salesforce hosted MCP servers (mcp_api) and Perform requests at any time (refresh_token)"
	hintCodeFlow  = setupSettings + " > Flow Enablement: the authorization code flow must be enabled"
	hintMyDomain  = "login_url: use the org's own URL from Setup > My Domain > Current My Domain URL"
	hintIssuer    = "issuer: set it to the org's URL from Setup > My Domain > Current My Domain URL"
	hintKeySet    = "jwks_url: must be the key set of this org, issuer + /id/keys"
	hintClock     = "this host's clock: let it follow a time server"
	hintStatus    = "https://status.salesforce.com tells of maintenance; a web filter on the way may answer in Salesforce's place"
	hintNetwork   = "this host must reach it on port 443: look at DNS, routes and firewall, or name the company's forward proxy in outbound_proxy"
	hintUnlike    = "login_url, issuer and jwks_url: no Salesforce known here makes such tokens; see who answers at these URLs (a gateway on the way?)"
	hintGateway   = "upstream: use the server's URL from Setup > MCP Servers, https://api.salesforce.com/platform/mcp/v1/…"
	hintNoKeys    = "jwks_url must be reachable from this host"
	hintLogin     = "login_url: " + hintNetwork
	hintOutbound  = "outbound_proxy, outbound_proxy_password_file: this is not Salesforce's answer; the forward proxy must let this host connect there on port 443, or outbound_proxy_except must name what is reached without it"
	hintInspected = "trusted_ca_file must hold the root of a TLS-inspecting gateway, if there is one"
)

// known is one error. An empty description stands for every other description of that
// code; one that is there is how Salesforce's begins, in lower case.
type known struct {
	code, description string
	kind              Kind
	hint              string
}

// name is what a known error is recorded by.
func (k known) name() string {
	if k.description == "" {
		return k.code
	}
	return k.code + ": " + k.description
}

// said are the errors of Salesforce's token endpoint, authorize endpoint and callback.
var said = []known{
	{"invalid_grant", "expired access/refresh token", Dead, signInAgain + "; if it happens often: " + setupPolicies + " > Refresh Token Policy, and " + oauthUsage + ": a user's sixth approval of an app ends the oldest"},
	{"invalid_grant", "expired authorization code", Dead, hintCode},
	{"invalid_grant", "invalid authorization code", Dead, hintCode},
	{"invalid_grant", "invalid code verifier", Dead, signInAgain + "; a new External Client App needs up to 30 minutes until it works; " + setupSettings + " > Security: Require Proof Key for Code Exchange (PKCE)"},
	{"invalid_grant", "ip restricted", Dead, setupPolicies + " > IP Relaxation, or Setup > Network Access: allow the address from which this proxy leaves; then " + signInAgain},
	{"invalid_grant", "user hasn't approved this consumer", Dead, setupPolicies + " > Permitted Users: give the user the permission set that pre-authorizes the app"},
	{"invalid_grant", "authentication failure", Dead, loginHistory + " tells why; then " + signInAgain},
	{"invalid_grant", "request not supported on this domain", Misconfigured, hintMyDomain},
	{"invalid_grant", "no client credentials user enabled", Misconfigured, hintCodeFlow},
	{"invalid_grant", "login rate exceeded", Transient, loginHistory + ": too many sign-ins of one user in an hour"},
	{"invalid_grant", "token request is already being processed", Transient, "nothing to change: two requests met, and the next one comes by itself"},
	{"invalid_grant", "", Dead, signInAgain + "; " + loginHistory + " tells more"},
	{"inactive_user", "", Dead, "Setup > Users > (the user): the user is frozen or inactive; Unfreeze or Active, then " + signInAgain},
	{"inactive_org", "", Dead, "the org is locked or gone: Setup > Company Information"},
	{"access_denied", "", Dead, "the user pressed Deny at Salesforce, or " + setupPolicies + " > Permitted Users does not include the user"},
	{approvalError, "", Dead, setupPolicies + " > Permitted Users and IP Relaxation; a classic connected app is refused, it must be an External Client App"},
	{"OAUTH_APP_BLOCKED", "", Dead, oauthUsage + ": the app is blocked, unblock it"},
	{InvalidClientID, "", Misconfigured, "client_id: copy it from " + setupSettings + " > Consumer Key and Secret; a new app needs up to 30 minutes until it works, and login_url must be the org that has the app"},
	{"invalid_client", "", Misconfigured, "client_secret_file: compare with " + setupSettings + " > Consumer Key and Secret; a public client needs Require Secret for Web Server Flow and for Refresh Token Flow switched off"},
	{RedirectMismatch, "", Misconfigured, setupSettings + " > Callback URL: add this proxy's /oauth/callback URL byte for byte; a change needs about 10 minutes"},
	{InvalidScope, "", Misconfigured, hintScopes},
	{UnsupportedScope, "", Misconfigured, hintScopes},
	{"unsupported_grant_type", "", Misconfigured, hintCodeFlow},
	{"unsupported_response_type", "", Misconfigured, hintCodeFlow},
	{"unauthorized_client", "", Misconfigured, hintCodeFlow},
	{InvalidRequest, "", Misconfigured, setupSettings + " > Security: Require Proof Key for Code Exchange (PKCE)"},
	{"server_error", "", Transient, hintStatus},
	{"temporarily_unavailable", "", Transient, hintStatus},
	{"server_unavailable", "", Transient, hintStatus},
	{"unknown_error", "", Transient, hintStatus},
}

const (
	// approvalError is what Salesforce's page of a failed authorization stands for.
	approvalError = "OAUTH_APPROVAL_ERROR_GENERIC"
	// unknownToken: a token that is to be revoked is none, or not any more (RFC 7009 2.2.1).
	unknownToken = "invalid_token"
	// domainWords are part of what the authorize endpoint says for [WrongDomain].
	domainWords = "not supported on this domain"
	// hintDisabled completes what is said of a consumer key that is not known.
	hintDisabled = "; and the app must not be disabled: Setup > External Client App Manager > (the app)"
)

// found are the errors that are ours.
var found = []known{
	{code: network, kind: Transient, hint: hintLogin},
	{code: nameUnresolved, kind: Transient, hint: hintLogin},
	{code: tlsFailed, kind: Transient, hint: hintInspected},
	{code: outboundProxy, kind: Transient, hint: hintOutbound},
	{code: notHeld, kind: Transient},
	{code: answerLost, kind: Transient, hint: signInAgain + "; if it happens often: the network between this host and login_url loses answers"},
	{code: unavailable, kind: Transient, hint: hintStatus},
	{code: malformedAnswer, kind: Transient, hint: hintStatus},
	{code: emptyAnswer, kind: Transient, hint: hintStatus},
	{code: noKeys, kind: Transient, hint: hintNoKeys},
	{code: redirected, kind: Misconfigured, hint: hintMyDomain},
	{code: wrongHost, kind: Misconfigured, hint: hintMyDomain},
	{code: WrongDomain, kind: Misconfigured, hint: hintMyDomain},
	{code: NoSignInPage, kind: Misconfigured, hint: hintMyDomain},
	{code: unusableKeySet, kind: Misconfigured, hint: hintKeySet},
	{code: noGateway, kind: Misconfigured, hint: hintGateway},
	{code: unknownOrg, kind: Misconfigured},
	{code: unusableURL, kind: Misconfigured},
	{code: NotReadable, kind: Dead, hint: "keys_file: must hold every key that the database was sealed with, or somebody changed the database; then " + signInAgain},
	// These refuse a token.
	{code: opaqueToken, kind: Refused, hint: setupSettings + " > Security: Issue JSON Web Token (JWT)-based access tokens for named users must be on; and scope api must not be asked for"},
	{code: noRefreshToken, kind: Refused, hint: setupSettings + " > OAuth Scopes: Perform requests at any time (refresh_token)"},
	{code: missingScope, kind: Refused, hint: setupSettings + " > OAuth Scopes: Access Salesforce hosted MCP servers (mcp_api)"},
	{code: widerScope, kind: Refused, hint: setupSettings + " > OAuth Scopes: leave no more than the configured scopes"},
	{code: wrongOrg, kind: Refused, hint: "org_id: compare with Setup > Company Information > Organization ID; or the user was signed in to another org in that browser"},
	{code: wrongIssuer, kind: Refused, hint: hintIssuer},
	{code: wrongAudience, kind: Refused, hint: hintIssuer},
	{code: wrongClient, kind: Refused, hint: "client_id: compare with " + setupSettings + " > Consumer Key and Secret"},
	{code: WrongSubject, kind: Refused, hint: signInAgain + "; Salesforce answered with another user's token"},
	{code: expired, kind: Refused, hint: hintClock},
	{code: notYetValid, kind: Refused, hint: hintClock},
	{code: unknownKey, kind: Refused, hint: hintKeySet},
	{code: badSignature, kind: Refused, hint: hintKeySet},
	{code: ambiguousKey, kind: Refused, hint: hintUnlike},
	{code: wrongAlgorithm, kind: Refused, hint: hintUnlike},
	{code: wrongHeader, kind: Refused, hint: hintUnlike},
	{code: wrongType, kind: Refused, hint: hintUnlike},
	{code: wrongTime, kind: Refused, hint: hintUnlike},
	{code: malformedToken, kind: Refused, hint: hintUnlike},
}

// ErrorFor classifies an error that Salesforce named: in a token answer, or in the
// query with which it sent a person back to the callback. An unknown code is
// Misconfigured: nothing shows that waiting or signing in again would help.
func ErrorFor(code, description string) *Error {
	e := &Error{Kind: Misconfigured, Code: plainCode(code), Description: plainText(description)}
	if k, ok := e.known(); ok {
		e.Kind, e.Hint = k.kind, k.hint
	}
	return e
}

// known is what we know of an error of Salesforce's.
func (e *Error) known() (known, bool) {
	i := slices.IndexFunc(said, func(k known) bool {
		return k.code == e.Code && strings.HasPrefix(strings.ToLower(e.Description), k.description)
	})
	if i < 0 {
		return known{}, false
	}
	return said[i], true
}

// NewError is an error of ours with a code of this file.
func NewError(code, description string) *Error {
	e := &Error{Kind: Misconfigured, Code: code, Description: description}
	if i := slices.IndexFunc(found, func(k known) bool { return k.code == code }); i >= 0 {
		e.Kind, e.Hint = found[i].kind, found[i].hint
	}
	return e
}

// NewLost is an error of a request that was sent and whose answer did not arrive.
func NewLost(description string) *Error {
	e := NewError(answerLost, description)
	e.Code, e.Lost = network, true
	return e
}

// Case names what happened, for a record that [CaseOf] reads: the code, with the
// beginning of Salesforce's description where that tells cases of one code apart.
func (e *Error) Case() string {
	if e.Lost {
		return answerLost
	}
	if k, ok := e.known(); ok {
		return k.name()
	}
	return e.Code
}

// CaseOf gives kind, code and hint of a case again. A case that is not known, which a
// later version may have recorded, is Misconfigured, without a hint.
func CaseOf(name string) *Error {
	for _, k := range slices.Concat(found, said) {
		if k.name() == name {
			return &Error{Kind: k.kind, Code: k.code, Description: k.description, Hint: k.hint, Lost: name == answerLost}
		}
	}
	return &Error{Kind: Misconfigured, Code: name}
}

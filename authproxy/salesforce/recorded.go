package salesforce

import (
	"regexp"
	"slices"
	"strings"
)

// ours are the codes that this package gives, and the setting behind each. Those without
// a kind refuse a token.
var ours = []known{
	{code: "redirected", kind: Misconfigured, hint: hintMyDomain},
	{code: "wrong_host", kind: Misconfigured, hint: hintMyDomain},
	{code: "opaque_token", hint: setupSettings + " > Security: Issue JSON Web Token (JWT)-based access tokens for named users must be on"},
	{code: "no_refresh_token", hint: setupSettings + " > OAuth Scopes: Perform requests at any time (refresh_token)"},
	{code: "missing_scope", hint: setupSettings + " > OAuth Scopes: Access Salesforce hosted MCP servers (mcp_api)"},
	{code: "wider_scope", hint: setupSettings + " > OAuth Scopes: leave no more than the configured scopes"},
	{code: "wrong_org", hint: "org_id: compare with Setup > Company Information > Organization ID; or the user was signed in to another org in that browser"},
	{code: "wrong_issuer", hint: "issuer: set it to the org's URL from Setup > My Domain > Current My Domain URL"},
	{code: tokenExpired, hint: "this host's clock: let it follow a time server"},
	{code: tokenNotYetValid, hint: "this host's clock: let it follow a time server"},
	{code: "keys_unavailable", kind: Transient, hint: "jwks_url must be reachable from this host"},
	{code: unknownKey, hint: "jwks_url: must be the key set of this org, issuer + /id/keys"},
	{code: "bad_signature", hint: "jwks_url: must be the key set of this org, issuer + /id/keys"},
	{code: "wrong_audience", hint: "issuer: set it to the org's URL from Setup > My Domain > Current My Domain URL"},
	{code: "wrong_client", hint: "client_id: compare with " + setupSettings + " > Consumer Key and Secret"},
	{code: "wrong_subject", hint: signInAgain + "; Salesforce answered with another user's token"},
	{code: "not_readable", kind: Dead, hint: "keys_file: must hold every key that the database was sealed with, or somebody changed the database; then " + signInAgain},
	{code: "wrong_algorithm", hint: hintStranger}, {code: "wrong_header", hint: hintStranger}, {code: "wrong_token_type", hint: hintStranger},
	{code: "wrong_time", hint: hintStranger}, {code: "malformed_token", hint: hintStranger}, {code: "ambiguous_key", hint: hintStranger},
}

// hintStranger is for tokens such as Salesforce never makes.
const hintStranger = "login_url, issuer and jwks_url: no Salesforce known here makes such tokens; see who answers at these URLs (a gateway on the way?)"

var recordedError = regexp.MustCompile(`^salesforce: (?:(dead|transient|misconfigured|refused): )?([A-Za-z_]{1,40})(?: \(([^)]*)\))?`)

// ErrorRecorded reads an error back from where its text was recorded: [Error.Error], or
// "salesforce: CODE". ok is false if the text is none.
func ErrorRecorded(text string) (e *Error, ok bool) {
	found := recordedError.FindStringSubmatch(text)
	if found == nil {
		return nil, false
	}
	e = errorOf(found[2], found[3])
	if found[1] != "" {
		e.Kind = Kind(found[1]) // the same code may be worse at a sign-in than at a refresh
	}
	if strings.HasSuffix(text, answerLost) {
		e.Lost, e.Hint = true, signInAgain+"; if it happens often: the network between this host and login_url loses answers"
	}
	return e, true
}

// errorOf is the error with a code of Salesforce's or of ours.
func errorOf(code, description string) *Error {
	i := slices.IndexFunc(ours, func(k known) bool { return k.code == code })
	if i >= 0 {
		e := refused(code, description, ours[i].hint)
		if ours[i].kind != "" {
			e.Kind = ours[i].kind
		}
		return e
	}
	switch code {
	case "network", "dns", "tls":
		return &Error{Kind: Transient, Code: code, Description: description, Hint: "login_url: " + hintNetwork}
	case "unavailable", malformedAnswer, emptyAnswer:
		return &Error{Kind: Transient, Code: code, Description: description, Hint: hintStatus}
	}
	return ErrorFor(code, description)
}

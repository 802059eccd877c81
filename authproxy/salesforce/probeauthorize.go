package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Variant is an authorize request of [Client.ProbeAuthorize].
type Variant int

// The variants.
const (
	// AsConfigured is what a browser is sent with. Salesforce should lead on to its
	// login or approval page.
	AsConfigured Variant = iota
	// WithoutChallenge leaves PKCE out (RFC 7636). Salesforce should refuse.
	WithoutChallenge
)

// ProbeAuthorize sends an authorize request that nobody will complete, without browser,
// cookies and login, and stops at the first answer. nil means that Salesforce would ask
// a person to sign in. Errors are [*Error], their Code Salesforce's or one of ours.
func (c *Client) ProbeAuthorize(ctx context.Context, orgName string, v Variant) error {
	o, err := c.org(orgName)
	if err != nil {
		return err
	}
	address, err := c.AuthorizeURL(orgName, "doctor", NewVerifier())
	if err != nil {
		return err
	}
	if v == WithoutChallenge {
		u, err := url.Parse(address)
		if err != nil {
			return fmt.Errorf("probing authorize endpoint: %w", err)
		}
		q := u.Query()
		q.Del("code_challenge")
		q.Del("code_challenge_method")
		u.RawQuery = q.Encode()
		address = u.String()
	}
	res, body, err := c.look(ctx, http.MethodGet, address)
	if err != nil {
		return reachable(err, "login_url")
	}
	if e := o.judgeAuthorize(res, string(body)); e != nil {
		e.Status = res.StatusCode
		return e
	}
	return nil
}

var (
	pageError       = regexp.MustCompile(`\berror=([A-Za-z_]{1,40})`)
	pageDescription = regexp.MustCompile(`\berror_description=([^&<"\r\n]{1,200})`)
)

// judgeAuthorize reads an answer of the authorize endpoint: a redirect to the next page
// or back to the callback, or a page. Pages are for people and differ; what they have
// in common is the error as it would be in a query.
func (o *org) judgeAuthorize(res *http.Response, body string) *Error {
	location, err := res.Location()
	redirected := err == nil && res.StatusCode >= 300 && res.StatusCode <= 399
	if redirected {
		if q := location.Query(); q.Get("error") != "" {
			return authorizeError(q.Get("error"), q.Get("error_description"))
		}
	}
	if found := pageError.FindStringSubmatch(body); found != nil && !redirected {
		description := ""
		if d := pageDescription.FindStringSubmatch(body); d != nil {
			description = d[1]
			if plain, err := url.QueryUnescape(description); err == nil {
				description = plain
			}
		}
		return authorizeError(found[1], description)
	}
	switch {
	case redirected && location.Host != res.Request.URL.Host && strings.HasSuffix(location.Path, authorizePath):
		return NewError(WrongDomain, "the host sends sign-ins on to "+plainText(location.Host))
	case redirected && strings.Contains(location.Path, "RemoteAccessErrorPage"):
		return authorizeError(approvalError, "")
	case redirected, res.StatusCode == http.StatusOK && isSignIn(body):
		return nil
	case res.StatusCode >= 500:
		return NewError(unavailable, http.StatusText(res.StatusCode))
	}
	return NewError(NoSignInPage, "the answer is no sign-in page of Salesforce")
}

func isSignIn(page string) bool {
	return strings.Contains(page, "RemoteAccessAuthorizationPage") || strings.Contains(strings.ToLower(page), `type="password"`)
}

func authorizeError(code, description string) *Error {
	e := ErrorFor(code, description)
	switch {
	case strings.Contains(strings.ToLower(e.Description), domainWords):
		return NewError(WrongDomain, e.Description)
	case e.Code == InvalidClientID:
		e.Hint += hintDisabled
	}
	return e
}

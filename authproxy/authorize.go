package authproxy

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/ui"
)

// authorize opens an authorization request (RFC 6749 4.1.1) and asks the person.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	if err := navigated(r); err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return badLink("The link that brought you here is broken.", err)
	}
	if err := s.whileStopped(r.Context()); err != nil {
		return err
	}
	c, redirectURI, err := s.redirectTarget(r.Context(), q)
	if err != nil {
		return err // without a redirect: there is nobody to trust with one
	}
	refuse := &redirectError{redirectURI: redirectURI, state: single(q, "state")}
	if c.Kind == client.Dynamic {
		refuse.untrusted = &c
	}
	req, refused := s.authorizationRequest(q, c.Server)
	if refused != nil {
		refuse.oauthError = refused
		return refuse
	}
	req.ClientID, req.RedirectURI, req.From = c.ID, redirectURI, from(r.Context())
	browser := s.Cookies.Browser(w, r)
	id, err := s.Grants.Requests.Open(r.Context(), *req, browser)
	if err != nil {
		refuse.oauthError = &oauthError{code: failedCode(err), description: "try again later", cause: err}
		return refuse
	}
	page := s.consentPage(id, req, c)
	page.Mark = s.Marks.Mark(ui.Shown{Browser: browser, Page: id, At: s.Now()})
	s.render(w, r, http.StatusOK, page)
	return nil
}

// from is whose row it is that a request makes.
func from(ctx context.Context) party.Sources { return party.SourcesOf(audit.OriginOf(ctx).Source) }

func badLink(text string, cause error) *pageError {
	return &pageError{status: http.StatusBadRequest, title: "This connection cannot be made", text: text,
		detail: "Start again from the program that you want to connect. If it happens again, tell your administrator.", cause: cause}
}

// forgottenClient is what a person can do whose program goes on with a registration that
// is not known here: programs keep one for good, and few ask for another by themselves.
const forgottenClient = "If it worked before, the program remembers a registration that is no longer there. In the program, remove this server and add it again " +
	"(Claude Code: /mcp, then Clear authentication; mcp-remote: delete the folder .mcp-auth in your home folder). " +
	"If it happens again, tell your administrator which program it is."

// redirectTarget finds the client and checks its redirect URI. Until both are good
// nothing may be sent to that URI (RFC 6749 4.1.2.1, OAuth 2.1 7.5.2).
func (s *Server) redirectTarget(ctx context.Context, q url.Values) (client.Client, string, error) {
	id, redirectURI := single(q, "client_id"), single(q, "redirect_uri")
	c, err := s.Clients.Current(ctx, id)
	if errors.Is(err, client.ErrUnknown) {
		return client.Client{}, "", s.unknownClient(ctx, id, err)
	}
	if errors.Is(err, client.ErrTooMany) {
		return client.Client{}, "", &pageError{status: http.StatusServiceUnavailable, title: "Too many programs", cause: err,
			text: "This proxy knows as many programs as it can. Tell your administrator."}
	}
	if err != nil {
		return client.Client{}, "", err
	}
	if !c.AllowsRedirect(redirectURI) {
		s.recordRefusal(ctx, audit.Entry{Actor: actor.Client(id), Action: audit.AuthorizationOpen, Object: shownID(redirectURI), Outcome: audit.Denied, Client: id, Reason: "redirect_mismatch"})
		return client.Client{}, "", badLink("The address to send you back to does not belong to "+c.Name+" (redirect_uri).", errors.New("redirect mismatch"))
	}
	return c, redirectURI, nil
}

// unknownClient is the page for the person, and an entry for the security team where a document was asked for
// that is not fetched or not good.
func (s *Server) unknownClient(ctx context.Context, id string, cause error) error {
	reason, text := "", "The program that sent you here is not known to this proxy (client_id)."
	switch {
	case errors.Is(cause, client.ErrBlocked):
		reason, text = "client_blocked", "Your administrator has blocked the program that sent you here (client_id)."
	case errors.Is(cause, clientdoc.ErrBlocked):
		reason = "cimd_blocked"
	case errors.Is(cause, clientdoc.ErrInvalid):
		reason, text = "cimd_invalid", "The program that sent you here describes itself in a way that is not valid (client_id)."
	case errors.Is(cause, clientdoc.ErrUnavailable):
		reason, text = "cimd_unavailable", "The description of the program that sent you here could not be read (client_id)."
	}
	if reason != "" {
		s.recordRefusal(ctx, audit.Entry{Actor: actor.Browser, Action: audit.AuthorizationOpen, Outcome: audit.Denied, Client: shownID(id), Reason: reason})
	}
	page := badLink(text, cause)
	if reason == "" {
		page.detail = forgottenClient
	}
	return page
}

// shownID is what the audit log keeps of a client_id or redirect_uri that means nothing to us.
func shownID(id string) string {
	const most = 300
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, id[:min(len(id), most)])
}

// single returns a parameter that occurs exactly once, otherwise "".
func single(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q[name][0]
}

// authorizationRequest checks all but client and redirect URI. Parameters that it does
// not know are ignored (RFC 6749 3.1), but none may occur twice. only names the server that
// the client is for, if it is for one.
func (s *Server) authorizationRequest(q url.Values, only string) (*grant.AuthorizationRequest, *oauthError) {
	server, refused := s.target(q["resource"], only)
	if refused != nil {
		return nil, refused
	}
	challenge := q.Get("code_challenge")
	switch {
	case repeated(q) != "":
		return nil, badRequest("a parameter is repeated")
	case q.Get("response_type") == "":
		return nil, badRequest("response_type is required")
	case q.Get("response_type") != "code":
		return nil, &oauthError{code: unsupportedResponseType, description: "only response_type=code is supported"}
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return nil, badRequest("only response_mode=query is supported")
	case q.Get("request") != "": // RFC 9101: what is in there and not here would not count
		return nil, &oauthError{code: requestNotSupported, description: "request objects are not supported"}
	case q.Get("request_uri") != "":
		return nil, &oauthError{code: requestURINotSupported, description: "request objects are not supported"}
	case q.Get("code_challenge_method") != "S256":
		return nil, badRequest("code_challenge_method=S256 is required (PKCE)")
	case !isChallenge(challenge):
		return nil, badRequest("code_challenge must be the S256 challenge, 43 base64url characters")
	case strings.ContainsFunc(q.Get("state"), func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, badRequest("state must be printable ASCII (RFC 6749 A.5)")
	}
	return &grant.AuthorizationRequest{
		Kind: grant.Authorize, Org: server.Org, Server: server.Name, Resource: s.Access.Resource(server.Name),
		State: q.Get("state"), Scope: grantedScope(q.Get("scope")), CodeChallenge: challenge,
	}, nil
}

// target finds the endpoint that is asked for (RFC 8707 2.1). Clients that name none get
// the one that they are for, or the one there is; where there are several, guessing would
// grant the wrong one.
func (s *Server) target(resources []string, only string) (*access.Server, *oauthError) {
	resources = slices.DeleteFunc(slices.Clone(resources), func(r string) bool { return r == "" })
	servers := slices.DeleteFunc(slices.Clone(s.Access.Servers()), func(m *access.Server) bool { return only != "" && m.Name != only })
	switch {
	case len(resources) > 1:
		return nil, &oauthError{code: invalidTarget, description: "one resource is granted at a time"}
	case len(resources) == 0 && len(servers) == 1:
		return servers[0], nil
	case len(resources) == 0:
		return nil, &oauthError{code: invalidTarget, description: "resource is required: the URL of the MCP endpoint"}
	}
	for _, m := range servers {
		if s.Access.Resource(m.Name) == s.Access.InPublicForm(resources[0]) {
			return m, nil
		}
	}
	return nil, &oauthError{code: invalidTarget, description: "resource is not an MCP endpoint of this proxy"}
}

// isChallenge: base64url of a SHA-256, in its one spelling (RFC 7636 4.2).
func isChallenge(text string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(sum) == 32 && len(text) == 43
}

// grantedScope narrows what was asked for to what there is: always mcp, without which
// nothing opens, and offline_access where asked for. Unknown scopes are left out, as
// the answer's scope tells the client (RFC 6749 3.3).
func grantedScope(asked string) string {
	if slices.Contains(strings.Split(asked, " "), scopeOffline) {
		return access.Scope + " " + scopeOffline
	}
	return access.Scope
}

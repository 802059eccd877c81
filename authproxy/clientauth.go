package authproxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
)

// Client authentication at the token and revocation endpoints: none (RFC 7591 2), and
// private_key_jwt (RFC 7523 2.2, 3) for clients with a metadata document.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func unauthorized(description string, cause error) *oauthError {
	return &oauthError{status: http.StatusUnauthorized, code: invalidClient, description: description, cause: cause}
}

// identify finds the client and sees that it authenticates as it must. A client that
// brings a secret believes that it has one, and is told that it has none. The
// form has the client's id afterwards, wherever it stood.
func (s endpoints) identify(r *http.Request, form url.Values) error {
	if form.Get("client_secret") != "" {
		return unauthorized("clients here have no secret", nil)
	}
	if r.Header.Get("Authorization") != "" {
		e := unauthorized("clients here have no password: send client_id in the form", nil)
		e.challenge = `Basic realm="sfmcp-proxy"` // RFC 6749 5.2
		return e
	}
	assertion := form.Get("client_assertion")
	if (assertion != "" || form.Get("client_assertion_type") != "") && form.Get("client_assertion_type") != assertionType {
		return unauthorized("client_assertion_type must be "+assertionType, nil)
	}
	if form.Get("client_id") == "" && assertion != "" {
		form.Set("client_id", client.AssertedBy(assertion)) // RFC 7521 4.2: optional beside an assertion
	}
	id := form.Get("client_id")
	if id == "" {
		return badRequest("client_id is required")
	}
	c, err := s.Clients.LastKnown(r.Context(), id)
	if errors.Is(err, client.ErrUnknown) {
		return unauthorized("unknown client", err)
	}
	if err != nil {
		return err
	}
	if form.Get("client_assertion_type") == "" {
		if !c.Allows(clientdoc.MethodNone) {
			return s.refuseClient(r.Context(), id, unauthorized("this client authenticates with private_key_jwt", nil))
		}
		return nil
	}
	err = s.Clients.VerifyAssertion(r.Context(), c, assertion)
	if refused, ok := errors.AsType[*client.AssertionError](err); ok {
		return s.refuseClient(r.Context(), id, unauthorized(refused.Description, refused.Cause))
	}
	return err
}

// refuseClient records that somebody who claims to be the client could not prove it.
func (s endpoints) refuseClient(ctx context.Context, id string, refused *oauthError) error {
	s.recordRefusal(ctx, audit.Entry{Actor: actor.Client(id), Action: audit.ClientAuthenticate, Outcome: audit.Denied, Client: id, Reason: refused.description})
	return refused
}

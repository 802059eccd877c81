package clientdoc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Authentication methods of clients at the token endpoint (RFC 7591 2).
const (
	MethodNone          = "none"
	MethodPrivateKeyJWT = "private_key_jwt"
)

const (
	maxName         = 100 // characters
	maxRedirectURIs = 20
	maxRedirectURI  = 2000
)

// Metadata is how a client describes itself.
type Metadata struct {
	// Name is client_name, free text that nobody has verified; of a registration it
	// may be empty.
	Name string
	// RedirectURIs are as written; whether each is acceptable is not decided here.
	RedirectURIs []string
	// Methods are those of the client's authentication methods that we know, sorted:
	// none, private_key_jwt. Of a registration it is none.
	Methods []string
	// JWKS is the key set in the document, JWKSURI where it is published; at most one
	// is set, and one is if Methods has private_key_jwt.
	JWKS    jsontext.Value
	JWKSURI string
	// ApplicationType is web, native or empty.
	ApplicationType string
}

// known are the members that mean something to us. The same name in another case is
// refused: to a reader that ignores case it means the same.
var known = []string{
	"client_id", "client_name", "redirect_uris", "token_endpoint_auth_method", "token_endpoint_auth_methods_supported",
	"jwks", "jwks_uri", "application_type", "client_secret", "client_secret_expires_at", "grant_types", "response_types", "scope",
}

// RedirectError says that a redirect URI cannot be registered (RFC 7591 3.2.2,
// invalid_redirect_uri).
type RedirectError struct{ Cause error }

func (e *RedirectError) Error() string { return "redirect_uris: " + e.Cause.Error() }
func (e *RedirectError) Unwrap() error { return e.Cause }

// object is a strictly parsed JSON object.
type object map[string]jsontext.Value

func parseObject(body []byte) (object, error) {
	var o object
	if len(body) == 0 || body[0] == 'n' || json.Unmarshal(body, &o) != nil { // refuses duplicate names, bad UTF-8, trailing data
		return nil, errors.New("expected one JSON object without repeated names")
	}
	for name := range o {
		for _, want := range known {
			if name != want && strings.EqualFold(name, want) {
				return nil, fmt.Errorf("the name %q is not the specification's", want)
			}
		}
	}
	return o, nil
}

func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && v.Kind() != 'n'
}

// text returns a string member, "" if it is absent.
func (o object) text(name string) (s string, err error) {
	if o.has(name) && (o[name].Kind() != '"' || json.Unmarshal(o[name], &s) != nil) {
		return "", fmt.Errorf("%s: expected text", name)
	}
	return s, nil
}

func (o object) list(name string) (l []string, err error) {
	if o.has(name) && json.Unmarshal(o[name], &l) != nil {
		return nil, fmt.Errorf("%s: expected a list of text", name)
	}
	return l, nil
}

// ParseDocument reads the Client ID Metadata Document that was found at id. Its
// client_id must be that URL, byte for byte; client_name and redirect_uris are
// required; a symmetric secret or a private key in it makes it invalid.
func ParseDocument(id string, body []byte) (*Metadata, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	own, err := o.text("client_id")
	switch {
	case err != nil:
		return nil, err
	case own != id:
		return nil, errors.New("client_id is not the document's own URL")
	case o.has("client_secret") || o.has("client_secret_expires_at"):
		return nil, errors.New("a published document holds a client secret")
	}
	m, err := o.common()
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(m.Name) == "" {
		return nil, errors.New("client_name is required")
	}
	if err := o.keys(m); err != nil {
		return nil, err
	}
	if m.JWKSURI == id {
		return nil, errors.New("jwks_uri is the document itself")
	}
	if m.Methods, err = o.methods(m.JWKS != nil || m.JWKSURI != ""); err != nil {
		return nil, err
	}
	return m, nil
}

// ParseRegistration reads the body of a client registration request (RFC 7591 3.1).
// Such clients are public whatever they ask for (RFC 7591 3.2.1 lets the server choose
// and say so), except that one that wants to sign is refused: it would come with an
// address to fetch. Everything else that would be fetched is ignored.
func ParseRegistration(body []byte) (*Metadata, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	m, err := o.common()
	if err != nil {
		return nil, err
	}
	method, err := o.text("token_endpoint_auth_method")
	switch {
	case err != nil:
		return nil, err
	case method == MethodPrivateKeyJWT:
		return nil, errors.New("private_key_jwt is for clients with a metadata document")
	}
	m.Methods = []string{MethodNone}
	return m, nil
}

// common reads the members that documents and registrations share.
func (o object) common() (*Metadata, error) {
	m := &Metadata{}
	var nameErr, typeErr, redirectErr error
	m.Name, nameErr = o.text("client_name")
	m.ApplicationType, typeErr = o.text("application_type")
	m.RedirectURIs, redirectErr = o.list("redirect_uris")
	switch {
	case nameErr != nil || typeErr != nil:
		return nil, errors.Join(nameErr, typeErr)
	case utf8.RuneCountInString(m.Name) > maxName:
		return nil, fmt.Errorf("client_name: expected at most %d characters", maxName)
	case !slices.Contains([]string{"", "web", "native"}, m.ApplicationType):
		return nil, errors.New("application_type: expected web or native")
	case redirectErr != nil:
		return nil, &RedirectError{redirectErr}
	case len(m.RedirectURIs) == 0 || len(m.RedirectURIs) > maxRedirectURIs:
		return nil, &RedirectError{fmt.Errorf("expected 1 to %d", maxRedirectURIs)}
	case slices.ContainsFunc(m.RedirectURIs, func(u string) bool { return len(u) > maxRedirectURI }):
		return nil, &RedirectError{fmt.Errorf("expected at most %d characters each", maxRedirectURI)}
	}
	return m, nil
}

// keys reads jwks or jwks_uri (RFC 7591 2: not both).
func (o object) keys(m *Metadata) (err error) {
	if m.JWKSURI, err = o.text("jwks_uri"); err != nil {
		return err
	}
	if m.JWKSURI != "" {
		if _, err := parseURL(m.JWKSURI); err != nil {
			return fmt.Errorf("jwks_uri %w", err)
		}
	}
	if !o.has("jwks") {
		return nil
	}
	if m.JWKSURI != "" {
		return errors.New("jwks and jwks_uri exclude each other")
	}
	if _, err := ParseKeys(o["jwks"]); err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	m.JWKS = o["jwks"]
	return nil
}

// methods reads how the client authenticates. ChatGPT's document names one method in
// the singular member that is specified, and all it can do in a plural one that is
// not; both count. Methods with a shared secret make a document invalid (CIMD): it
// would be published. A client that names none is public.
func (o object) methods(hasKeys bool) ([]string, error) {
	all, err := o.list("token_endpoint_auth_methods_supported")
	if err != nil {
		return nil, err
	}
	one, err := o.text("token_endpoint_auth_method")
	if err != nil {
		return nil, err
	}
	if one != "" {
		all = append(all, one)
	}
	if len(all) == 0 {
		return []string{MethodNone}, nil
	}
	var usable []string
	for _, method := range all {
		switch {
		case strings.HasPrefix(method, "client_secret_"):
			return nil, errors.New("a client with a document cannot share a secret (" + method + ")")
		case method == MethodNone, method == MethodPrivateKeyJWT && hasKeys:
			usable = append(usable, method)
		}
	}
	slices.Sort(usable)
	if usable = slices.Compact(usable); len(usable) == 0 {
		return nil, errors.New("expected an authentication method none, or private_key_jwt with its keys")
	}
	return usable, nil
}

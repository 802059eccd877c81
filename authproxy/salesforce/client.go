package salesforce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"sfmcp-proxy/authproxy/jwks"
)

// Time limits of whole requests. A refresh is given long: giving up on it early is
// what leaves a rotating refresh token in doubt.
const (
	exchangeLimit = 30 * time.Second
	refreshLimit  = 75 * time.Second
	revokeLimit   = 15 * time.Second
)

// Endpoints below Org.LoginURL.
const (
	authorizePath = "/services/oauth2/authorize"
	tokenPath     = "/services/oauth2/token"
	revokePath    = "/services/oauth2/revoke"
)

// Config is what [New] needs.
type Config struct {
	// Orgs, each valid, names distinct.
	Orgs []Org
	// HTTP carries the requests; nil means NewHTTPClient(nil, nil).
	HTTP *http.Client
	// RedirectURI is the proxy's callback, the same for all orgs.
	RedirectURI string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets key fetches and failed clean-ups; nil means slog.Default().
	Log *slog.Logger
}

// Client speaks OAuth to the login hosts of the configured orgs. It is safe for
// concurrent use.
type Client struct {
	orgs map[string]*org
	http *http.Client
	now  func() time.Time
	log  *slog.Logger
}

// org is an Org made ready: defaults filled in, id in its 18-character form.
type org struct {
	Org
	oauth oauth2.Config
	keys  *jwks.Remote
}

// New checks the orgs and returns a client for them. It makes no request.
func New(cfg Config) (*Client, error) {
	c := &Client{orgs: map[string]*org{}, now: cfg.Now, log: cfg.Log}
	if c.now == nil {
		c.now = time.Now
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTPClient(nil, nil)
	}
	base := cfg.HTTP.Transport
	if base == nil {
		return nil, errors.New("creating Salesforce client: HTTP client without Transport would use proxies of the environment")
	}
	c.http = &http.Client{Transport: answers{base, c.now}, CheckRedirect: noRedirect}
	for _, o := range cfg.Orgs {
		if problems := o.Validate(); len(problems) > 0 {
			wrong := make([]error, len(problems))
			for i, p := range problems {
				wrong[i] = p
			}
			return nil, fmt.Errorf("creating Salesforce client: org %q: %w", o.Name, errors.Join(wrong...))
		}
		if c.orgs[o.Name] != nil {
			return nil, fmt.Errorf("creating Salesforce client: org %q is there twice", o.Name)
		}
		c.orgs[o.Name] = c.prepare(o.withDefaults(), cfg.RedirectURI)
	}
	return c, nil
}

func (c *Client) prepare(o Org, redirectURI string) *org {
	o.OrgID, _ = NormalizeID(o.OrgID) // validated
	return &org{
		Org: o,
		oauth: oauth2.Config{
			ClientID:     o.ClientID,
			ClientSecret: o.ClientSecret,
			RedirectURL:  redirectURI,
			Scopes:       o.Scopes,
			Endpoint: oauth2.Endpoint{
				AuthURL:   o.LoginURL + authorizePath,
				TokenURL:  o.LoginURL + tokenPath,
				AuthStyle: oauth2.AuthStyleInParams, // a probe would spend a code
			},
		},
		keys: jwks.NewRemote(jwks.Config{URL: o.JWKSURL, HTTP: c.http, Rules: signingKeys, Now: c.now, Log: c.log.With("org", o.Name)}),
	}
}

func (c *Client) org(name string) (*org, error) {
	if o := c.orgs[name]; o != nil {
		return o, nil
	}
	return nil, NewError(unknownOrg, "no such org is configured")
}

// NewVerifier returns a fresh PKCE code verifier (RFC 7636, 256 random bits).
func NewVerifier() string { return oauth2.GenerateVerifier() }

// AuthorizeURL is where a browser goes to sign in to an org. state comes back to the
// callback byte for byte; of verifier only the S256 challenge is in the URL.
func (c *Client) AuthorizeURL(orgName, state, verifier string) (string, error) {
	o, err := c.org(orgName)
	if err != nil {
		return "", err
	}
	return o.oauth.AuthCodeURL(state, o.options(oauth2.S256ChallengeOption(verifier))...), nil
}

// ChooseAccountURL is [Client.AuthorizeURL] with the wish that Salesforce lets the person
// choose the account, also where the browser has one open (OpenID Connect Core 3.1.2.1).
func (c *Client) ChooseAccountURL(orgName, state, verifier string) (string, error) {
	o, err := c.org(orgName)
	if err != nil {
		return "", err
	}
	return o.oauth.AuthCodeURL(state, o.options(oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "select_account"))...), nil
}

func (o *org) options(opts ...oauth2.AuthCodeOption) []oauth2.AuthCodeOption {
	if o.Resource != "" {
		opts = append(opts, oauth2.SetAuthURLParam("resource", o.Resource))
	}
	return opts
}

// Exchange redeems an authorization code at the org where the sign-in was started. A
// token that does not pass verification, or comes without refresh token, is revoked
// (best effort, at most 15 s) and the error is Refused. Errors are [*Error].
func (c *Client) Exchange(ctx context.Context, orgName, code, verifier string) (*Token, error) {
	o, err := c.org(orgName)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	// A code is good for one use: be able to verify before spending it.
	if err := o.ready(ctx); err != nil {
		return nil, err
	}
	answer, err := o.oauth.Exchange(c.context(ctx), code, o.options(oauth2.VerifierOption(verifier))...)
	if err != nil {
		return nil, asError(err)
	}
	t, err := c.accept(ctx, o, answer)
	if err == nil && t.RefreshToken == "" {
		err = NewError(noRefreshToken, "the answer has no refresh token")
	}
	if err != nil {
		c.discard(ctx, o, answer)
		return nil, err
	}
	return t, nil
}

// Refresh sends a refresh token once and returns the verified answer. If the answer's
// access token is not accepted, [Error.Received] holds the refresh token that came
// with it. What a clock or a key host does to all users at once must not cost them their
// logins: a token whose time is not now is Misconfigured here, and one that is signed with
// a key that the org does not publish (yet, on every copy of its key set) is Transient.
// Errors are [*Error].
func (c *Client) Refresh(ctx context.Context, orgName, refreshToken string) (*Token, error) {
	o, err := c.org(orgName)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	// The answer may spend the refresh token: be able to verify it before asking.
	if err := o.ready(ctx); err != nil {
		return nil, err
	}
	answer, err := o.oauth.TokenSource(c.context(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return nil, asError(err)
	}
	t, err := c.accept(ctx, o, answer)
	if err != nil {
		e := asError(err)
		switch e.Code {
		case unknownKey:
			e.Kind = Transient
		case expired, notYetValid:
			e.Kind = Misconfigured
		}
		if r := text(answer, "refresh_token"); r != "" && r != refreshToken {
			e.Received = &Token{RefreshToken: r}
		}
		return nil, e
	}
	return t, nil
}

// Revoke ends a refresh token and the access tokens made from it (RFC 7009), or one
// access token. A token that Salesforce does not know is revoked already: nil.
// Errors are [*Error].
func (c *Client) Revoke(ctx context.Context, orgName, token string) error {
	o, err := c.org(orgName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	form := url.Values{"token": {token}}.Encode() // body, not query: URLs are logged on the way
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.LoginURL+revokePath, strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("revoking at Salesforce: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(req)
	if err == nil {
		return res.Body.Close()
	}
	e := asError(err)
	if e.Code == emptyAnswer || e.Code == unknownToken {
		return nil // RFC 7009 section 2.2: an unknown token is no error
	}
	return e
}

// discard revokes what came with an answer that is not used, even if the caller has
// gone: a refresh token that nobody keeps must not stay alive.
func (c *Client) discard(ctx context.Context, o *org, answer *oauth2.Token) {
	token := text(answer, "refresh_token")
	if token == "" {
		token = text(answer, "access_token")
	}
	if token == "" {
		return
	}
	if err := c.Revoke(context.WithoutCancel(ctx), o.Name, token); err != nil {
		c.log.Error("a refused Salesforce token could not be revoked", "org", o.Name, "error", err)
	}
}

func (c *Client) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.http)
}

// text is a string member of a token answer by its exact name. The library's own
// fields match names in any case and repeat the old refresh token when none came.
func text(answer *oauth2.Token, name string) string {
	s, _ := answer.Extra(name).(string)
	return s
}

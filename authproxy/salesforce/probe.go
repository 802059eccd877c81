package salesforce

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// probeLimit is how long a probe waits: a person looks on.
const probeLimit = 20 * time.Second

// ProbeHost asks the org's login host for anything and returns how far the Date header
// of its answer (RFC 9110 section 6.6.1, whole seconds) is ahead of this host's clock;
// dated is false if the answer has none. Errors are [*Error].
func (c *Client) ProbeHost(ctx context.Context, orgName string) (ahead time.Duration, dated bool, err error) {
	o, err := c.org(orgName)
	if err != nil {
		return 0, false, err
	}
	asked := c.now()
	res, _, err := c.look(ctx, http.MethodGet, o.LoginURL+"/.well-known/openid-configuration")
	if err != nil {
		return 0, false, reachable(err, "login_url")
	}
	if res.StatusCode >= 500 {
		e := NewError(unavailable, http.StatusText(res.StatusCode))
		e.Status = res.StatusCode
		return 0, false, e
	}
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return 0, false, nil
	}
	answered := c.now()
	// The header is cut to the second, and was written somewhere between.
	return at.Add(time.Second / 2).Sub(asked.Add(answered.Sub(asked) / 2)), true, nil
}

// ProbeKeys fetches the org's key set and returns how many keys of it can verify a
// token, and the URL. Errors are [*Error].
func (c *Client) ProbeKeys(ctx context.Context, orgName string) (usable int, address string, err error) {
	o, err := c.org(orgName)
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	keys, err := o.keys.Fetch(ctx)
	if err == nil && keys.Len() == 0 {
		err = errors.New("every key id of the key set is there twice")
	}
	if err == nil {
		return keys.Len(), o.JWKSURL, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = NewError(unusableKeySet, err.Error())
	}
	told := *e
	told.Hint = hintNoKeys + "; " + hintKeySet + "; " + hintIssuer
	if told.Status >= 500 {
		told.Hint += "; " + hintStatus
	}
	return 0, o.JWKSURL, &told
}

// ProbeGateway asks for an MCP endpoint of Salesforce's without a token. nil means that
// it refused for want of one, which it does for any name. Errors are [*Error].
func (c *Client) ProbeGateway(ctx context.Context, address string) error {
	res, _, err := c.look(ctx, http.MethodPost, address)
	if err != nil {
		return reachable(err, "upstream")
	}
	e := NewError(noGateway, "Salesforce's gateway answers 401 without a token")
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized:
		return nil
	case status >= 500:
		e = NewError(unavailable, http.StatusText(status))
	case status >= 300 && status <= 399:
		e.Code, e.Description = redirected, "redirects are not followed"
	case status >= 200 && status <= 299:
		e.Description = "it answers without a token, which Salesforce's gateway does not"
	}
	e.Status = res.StatusCode
	return e
}

// look makes one request without credentials and returns the answer as it came.
func (c *Client) look(ctx context.Context, method, address string) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, nil, NewError(unusableURL, "the URL is not usable")
	}
	req.Header.Set("Accept", "application/json, text/event-stream, text/html")
	req.Close = true
	res, err := c.http.Transport.(answers).base.RoundTrip(req) // below what reads OAuth answers and redirects
	if err != nil {
		return nil, nil, networkError(err, false)
	}
	defer res.Body.Close()
	body, err := ReadAll(res.Body, answerLimit)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, nil, networkError(err, true)
	}
	return res, body, nil
}

// reachable adds which key of the configuration names the host.
func reachable(err error, key string) *Error {
	e := asError(err)
	if e.Code == outboundProxy {
		return e
	}
	if e.Code != tlsFailed {
		e.Hint = hintNetwork
	}
	e.Hint = key + ": " + e.Hint
	return e
}

package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode"
)

// web sends requests and reads bounded answers.
type web struct{ client *http.Client }

// send returns the status and at most limit bytes of the body of the answer, whose text is
// never part of an error: it is somebody else's.
func (w web) send(r *http.Request, limit int64) (status int, body []byte, err error) {
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	case int64(len(body)) > limit:
		return 0, nil, errors.New("the answer is too long")
	}
	return answer.StatusCode, body, nil
}

// SecretOf is the secret in the content of a file: the mark of UTF-8 that some editors put first, and the ends of lines
// after it, are no part of it.
func SecretOf(text []byte) string {
	return strings.TrimRight(strings.TrimPrefix(string(text), "\ufeff"), "\r\n")
}

// ReadSecret reads a file that holds a secret, each time, so that it can be exchanged.
func ReadSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := SecretOf(text)
	if secret == "" || strings.ContainsFunc(secret, unicode.IsControl) {
		return "", fmt.Errorf("%s does not hold a secret on one line", path)
	}
	return secret, nil
}

// URLConfig is the place of a URL.
type URLConfig struct {
	URL       string       // one that ends in a slash is a folder with one file for each log
	TokenFile string       // bearer token for it; empty: none
	HTTP      *http.Client // must not follow redirects: the token would follow
}

type address struct {
	web
	config URLConfig
}

// NewURL is the place of a URL, written by PUT and read by GET.
func NewURL(c URLConfig) Place { return address{web{c.HTTP}, c} }

func (u address) String() string { return "URL " + u.config.URL }

func (u address) request(ctx context.Context, method, origin string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, own(u.config.URL, origin), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if u.config.TokenFile != "" {
		token, err := ReadSecret(u.config.TokenFile)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

// Publish puts the checkpoint there.
func (u address) Publish(ctx context.Context, c Checkpoint) error {
	r, err := u.request(ctx, http.MethodPut, c.Origin, c.Signed)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	status, _, err := u.send(r, maxCheckpoint)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK && status != http.StatusCreated && status != http.StatusNoContent:
		return fmt.Errorf("PUT was answered with status %d", status)
	}
	return nil
}

// Latest gets what is there.
func (u address) Latest(ctx context.Context, c Checkpoint) ([]byte, error) {
	r, err := u.request(ctx, http.MethodGet, c.Origin, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Cache-Control", "no-cache")
	status, signed, err := u.send(r, maxCheckpoint)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound:
		return nil, ErrNone
	case status != http.StatusOK:
		return nil, fmt.Errorf("GET was answered with status %d", status)
	}
	return signed, nil
}

package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
)

// maxFormBytes bounds a posted form; the longest field of ours is a secret of 43
// characters, or a path.
const maxFormBytes = 64 << 10

// Refusal is the answer to a request that must not change anything.
type Refusal struct {
	Status int
	Text   string // for the person, one sentence
}

func (r *Refusal) Error() string { return r.Text }

var (
	errForeign = &Refusal{http.StatusForbidden,
		"This form was not sent from a page of this site, so nothing was done."}
	errStaleForm = &Refusal{http.StatusForbidden,
		"This form is out of date. Open the page again and repeat."}
	errNotAForm = &Refusal{http.StatusForbidden,
		"This address accepts only the forms of this site."}
	errBrokenForm = &Refusal{http.StatusBadRequest, "The form could not be read."}
	errLargeForm  = &Refusal{http.StatusRequestEntityTooLarge, "The form is too large."}
	errMethod     = &Refusal{http.StatusMethodNotAllowed, "This address accepts only forms."}
)

// Guard accepts the forms of our own pages and refuses those of other sites.
type Guard struct {
	protection *http.CrossOriginProtection
}

// NewGuard returns a guard for the site of that origin (RFC 6454), such as the public URL.
func NewGuard(origin string) (*Guard, error) {
	g := &Guard{protection: http.NewCrossOriginProtection()}
	// Behind a reverse proxy the Host header may differ from the public name.
	if err := g.protection.AddTrustedOrigin(origin); err != nil {
		return nil, fmt.Errorf("making the form guard: %w", err)
	}
	return g, nil
}

// Form returns the fields of a posted form, from the body alone. Every error is a
// [Refusal]. It refuses what is no POST of application/x-www-form-urlencoded, a
// repeated field, and what a browser says came from elsewhere.
//
// A request with neither Origin nor Sec-Fetch-Site does not come from a browser
// that could be tricked and passes; the caller's token check decides about it.
func (g *Guard) Form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, errMethod
	}
	// Under our Referrer-Policy browsers send "Origin: null" with our own forms, and
	// then Sec-Fetch-Site says where the form was. Without it, null is a stranger.
	if r.Header.Get("Origin") == "null" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return nil, errForeign
	}
	if err := g.protection.Check(r); err != nil {
		return nil, errForeign
	}
	// Cross-site scripts can send text/plain and multipart without asking first.
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errNotAForm
	}
	return parseForm(w, r)
}

func parseForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, errLargeForm
		}
		return nil, errBrokenForm
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			return nil, errBrokenForm
		}
	}
	return r.PostForm, nil
}

// FormToken derives the anti-forgery value of a form from the secret cookie of
// the browser it is shown to: unguessable without the cookie, and no way back.
func FormToken(cookie string) string {
	mac := hmac.New(sha256.New, []byte(cookie))
	mac.Write([]byte("form token"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckToken returns a [Refusal] unless got is the FormToken of cookie.
func CheckToken(got, cookie string) error {
	if cookie == "" || !sameText(got, FormToken(cookie)) {
		return errStaleForm
	}
	return nil
}

// sameText compares in a time that does not depend on where the texts differ.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// browserAge is how long an idle browser keeps its name: far longer than any
// authorization request lives.
const browserAge = 24 * time.Hour

// Cookies reads and writes the four kinds of cookies. Their values are random
// secrets of 256 bits; none carries meaning.
//
// Over https the names begin with "__Host-", which makes browsers refuse copies
// set by a sibling domain or over http. A loopback demo on plain http cannot have
// that prefix and goes without it and without Secure.
type Cookies struct {
	// Secure says that the public URL is https.
	Secure bool
}

// Browser returns the secret name of the browser that sent r, giving it one when
// it has none: authorization requests are bound to it. The name lasts from now on, so
// that it does not run out while a request waits.
func (c Cookies) Browser(w http.ResponseWriter, r *http.Request) string {
	id, ok := c.ReadBrowser(r)
	if !ok {
		id = newSecret()
	}
	c.set(w, "browser", id, browserAge)
	return id
}

// ReadBrowser returns the secret name of the browser, if it has one.
func (c Cookies) ReadBrowser(r *http.Request) (string, bool) { return c.get(r, "browser") }

// SetLogin stores the secret that the Salesforce callback with state must show.
// Each login has a cookie of its own, so that two tabs do not disturb each other.
func (c Cookies) SetLogin(w http.ResponseWriter, state, secret string, age time.Duration) {
	c.set(w, loginName(state), secret, age)
}

// Login returns the secret stored with SetLogin for state.
func (c Cookies) Login(r *http.Request, state string) (string, bool) {
	return c.get(r, loginName(state))
}

// ClearLogin removes the cookie of SetLogin.
func (c Cookies) ClearLogin(w http.ResponseWriter, state string) { c.clear(w, loginName(state)) }

// SetPerson stores the id of a session that was signed in with the company.
func (c Cookies) SetPerson(w http.ResponseWriter, id string, age time.Duration) {
	c.set(w, "person", id, age)
}

// ReadPerson returns the id stored with SetPerson.
func (c Cookies) ReadPerson(r *http.Request) (string, bool) { return c.get(r, "person") }

// ClearPerson removes the cookie of SetPerson.
func (c Cookies) ClearPerson(w http.ResponseWriter) { c.clear(w, "person") }

func loginName(state string) string { return "login-" + hash(state)[:12] }

func (c Cookies) name(short string) string {
	if c.Secure {
		return "__Host-sfmcp-" + short
	}
	return "sfmcp-" + short
}

// get wants exactly one cookie of the name: a second one was planted by somebody.
func (c Cookies) get(r *http.Request, short string) (string, bool) {
	found := r.CookiesNamed(c.name(short))
	if len(found) != 1 || !cookieValue(found[0].Value) {
		return "", false
	}
	return found[0].Value, true
}

func (c Cookies) set(w http.ResponseWriter, short, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(short), Value: value, Path: "/", MaxAge: int(age / time.Second),
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c Cookies) clear(w http.ResponseWriter, short string) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(short), Path: "/", MaxAge: -1,
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// cookieValue bounds what is hashed and looked up: base64url and prefixes of it,
// not shorter than 128 bits.
func cookieValue(s string) bool {
	if len(s) < 22 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// newSecret returns 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

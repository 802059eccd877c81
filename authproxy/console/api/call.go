package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/apitoken"
)

// maxBody bounds the body of a request, in bytes: arguments that are tried, escaped, and the rest.
const maxBody = 192 << 10

// call is one request of a program that may make it.
type call struct {
	*http.Request
	token   *apitoken.Token
	now     time.Time
	query   url.Values // checked against the route
	text    []byte     // of the body
	in      any        // what it says; nil: the route takes none
	current tagged     // what is about to be edited, as it is now
}

// tagged is a resource that can be edited: two states of it have two versions.
type tagged interface{ version() string }

// variable is a part of the path, unescaped; what cannot be is no name of anything.
func (q *call) variable(name string) string {
	text, err := url.PathUnescape(mux.Vars(q.Request)[name])
	if err != nil {
		return ""
	}
	return text
}

// act is what the program does, for a reason.
func (q *call) act(why Reason) authproxy.Act {
	return authproxy.Act{By: q.token.Actor(), Why: string(why)}
}

// served answers a request of a program that may make it.
func (a *API) served(r *http.Request, token *apitoken.Token, route Route) answer {
	q := &call{Request: r, token: token, now: a.Now()}
	err := q.read(route)
	if err == nil && route.Method != http.MethodGet {
		if key := r.Header.Values("Idempotency-Key"); len(key) > 0 {
			return a.once(q, route, key)
		}
	}
	if err != nil {
		return a.told(r, a.problemOf(r, err))
	}
	return a.done(q, route)
}

// filed answers a request with a file.
func (a *API) filed(w http.ResponseWriter, r *http.Request, token *apitoken.Token, route Route) {
	q := &call{Request: r, token: token, now: a.Now()}
	err := q.read(route)
	var made file
	if err == nil {
		made, err = route.file(a, q)
	}
	if err != nil {
		a.send(w, r, a.told(r, a.problemOf(r, err)))
		return
	}
	defer func() {
		if err := made.Close(); err != nil {
			a.Log.ErrorContext(r.Context(), "a file is not removed from where it was made", "error", err)
		}
	}()
	if err := made.Answer(w); err != nil {
		a.Log.InfoContext(r.Context(), "a file was not taken whole", "error", err)
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
}

// read checks the query and reads the body.
func (q *call) read(route Route) (err error) {
	if q.query, err = checkedQuery(q.URL.RawQuery, route.Query); err != nil {
		return err
	}
	body := http.MaxBytesReader(nil, q.Body, maxBody)
	if q.text, err = io.ReadAll(body); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge.is(fmt.Sprintf("The body has more than %d bytes.", maxBody), "Send less; arguments of at most 64 KiB can be tried.")
		}
		return badRequest.is("The body could not be read.", "Send it whole.")
	}
	if len(q.Header.Values("Idempotency-Key")) > 0 && route.file != nil {
		return badRequest.is("No answer of this address is kept for a second request.", "Leave the Idempotency-Key away: a file that is made twice changes nothing but the log.")
	}
	if route.Body == nil {
		if len(q.text) > 0 {
			return badRequest.is("This address takes no body.", "Send the request without one.")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return noJSON.is("The body is not said to be JSON.", "Send the header Content-Type: application/json.")
	}
	q.in, err = route.decode(q.text)
	return err
}

// done does what is asked, unless what is to be edited is not as the program saw it.
func (a *API) done(q *call, route Route) answer {
	if route.edits != nil {
		if err := a.unchanged(q, route); err != nil {
			return a.told(q.Request, a.problemOf(q.Request, err))
		}
	}
	value, err := route.serve(a, q)
	if err != nil {
		return a.told(q.Request, a.problemOf(q.Request, err))
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return a.told(q.Request, a.problemOf(q.Request, fmt.Errorf("encoding an answer: %w", err)))
	}
	of := answer{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body.Bytes()}
	if t, ok := value.(tagged); ok {
		tag := tagOf(t)
		of.header.Set("ETag", tag)
		if route.Method == http.MethodGet && names(q.Header.Values("If-None-Match"), tag) {
			return answer{http.StatusNotModified, http.Header{"ETag": {tag}}, nil}
		}
	}
	return of
}

// unchanged refuses an edit that does not say, or says wrongly, what it is an edit of (RFC 9110
// 13.1.1, RFC 6585 3).
func (a *API) unchanged(q *call, route Route) (err error) {
	if q.current, err = route.edits(a, q); err != nil {
		return err
	}
	values := q.Header.Values("If-Match")
	if len(values) == 0 {
		return preconditions.is("The request does not say which state it changes.", "Send If-Match with the ETag of the state that you saw, or * for whatever it is now.")
	}
	if !tagList.MatchString(strings.Join(values, ",")) {
		return badRequest.is("If-Match holds no entity tags.", `Send the ETag as it came, with its quotation marks, or *.`)
	}
	if !names(values, tagOf(q.current)) {
		return q.moved(q.current)
	}
	return nil
}

// moved says that a resource is not as the program saw it, and how it is.
func (q *call) moved(current tagged) *Problem {
	p := changed.is("It is not in the state that If-Match names any more; nothing was done.", "Look at the current state, which stands beside, and send its ETag if the change is still right.")
	p.Current = current
	return p.with("ETag", tagOf(current))
}

// tagList is * or a list of entity tags (RFC 9110 8.8.3), of which weak ones name no state here.
var tagList = regexp.MustCompile(`^\s*(?:\*|(?:W/)?"[!#-~]*"(?:\s*,\s*(?:W/)?"[!#-~]*")*)\s*$`)

// tagOf is the entity tag of a state.
func tagOf(t tagged) string {
	sum := sha256.Sum256([]byte(t.version()))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// names reports whether a list of entity tags holds that one, or stands for all.
func names(values []string, tag string) bool {
	for one := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if one = strings.TrimSpace(one); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// idempotencyKey is the form of a key.
const idempotencyKey = `[A-Za-z0-9_.-]{1,128}`

var keyForm = regexp.MustCompile(`^` + idempotencyKey + `$`)

// once does what is asked under a key: a request that comes again gets the answer of the first.
func (a *API) once(q *call, route Route, keys []string) answer {
	told := func(p *Problem) answer { return a.told(q.Request, p) }
	key := strings.Trim(keys[0], `"`) // of a structured field, or bare
	if len(keys) > 1 || !keyForm.MatchString(key) {
		return told(badRequest.is("The Idempotency-Key is not 1 to 128 letters, digits, dots, underscores and hyphens.", "Send a random one for each act, such as a UUID."))
	}
	attempt := apitoken.Attempt{Token: q.token.ID, Key: key, Digest: q.digest()}
	before, err := a.Replays.Begin(q.Context(), attempt)
	switch {
	case errors.Is(err, apitoken.ErrOtherRequest):
		return told(otherRequest.is("Another request had that Idempotency-Key; nothing was done.", "Use another key for another request."))
	case errors.Is(err, apitoken.ErrUnderWay):
		return told(conflict.is("A request with that Idempotency-Key has begun and has no answer yet; nothing was done again.",
			"Wait, then send it again. If it stays so, the proxy ended meanwhile: look whether it was done, and use another key.").with("Retry-After", "5"))
	case errors.Is(err, apitoken.ErrTooManyKeys):
		return told(tooMany.is(fmt.Sprintf("The token has used %d keys within a day.", apitoken.MaxAnswers), "Leave the header away where an act may be done twice, or wait.").with("Retry-After", "3600"))
	case err != nil:
		return told(a.problemOf(q.Request, err))
	case before != nil:
		kept := answer{before.Status, http.Header{"Content-Type": {"application/json"}, "Idempotent-Replayed": {"true"}}, before.Body}
		if before.Status >= http.StatusBadRequest {
			kept.header.Set("Content-Type", "application/problem+json")
		}
		return kept
	}
	of := a.done(q, route)
	// Whoever hangs up must not leave the act without its answer.
	if err := a.Replays.Finish(context.WithoutCancel(q.Context()), attempt, apitoken.Answer{Status: of.status, Body: of.body}); err != nil {
		a.Log.ErrorContext(q.Context(), "the answer to an act of the API is not kept", "error", err)
	}
	return of
}

// digest is that of all that a request says.
func (q *call) digest() string {
	sum := sha256.New()
	for _, part := range []string{q.Method, q.URL.EscapedPath(), q.URL.RawQuery, strings.Join(q.Header.Values("If-Match"), ","), string(q.text)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

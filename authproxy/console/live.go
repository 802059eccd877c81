package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// live tells browsers in which an inbox is in view that it has changed. What is in it the browser
// asks for as ever; an event has nothing but a word that stands for the list.
type live struct{ *Console }

// events is the stream of one inbox. It ends when its session does: by signing out, by a block, by
// whoever ends sessions, or after being idle, of which a stream is no interruption.
func (c live) events(w http.ResponseWriter, r *http.Request) {
	c.serve(w, r, c.look, func(stream *inboxStream, v *visit) error { return stream.run(r.Context(), v) })
}

// serve has run fill a stream for whom look finds, within what their browsers may ask for and hold open.
func (c live) serve(w http.ResponseWriter, r *http.Request, look func(*http.Request) (*visit, error), run func(*inboxStream, *visit) error) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		http.Error(w, "these events are for pages of this site", http.StatusForbidden)
		return
	}
	v, err := look(r)
	if err == nil && !c.budgets.Admits(v.who(), c.Now()) {
		err = errTooMany
	}
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	leave, ok := c.Streams.enter(v.who())
	if !ok {
		c.refuse(w, r, errTooMany)
		return
	}
	defer leave()
	stream := &inboxStream{live: c, out: http.NewResponseController(w), w: w, r: r}
	stream.begin()
	if err := run(stream, v); err != nil && r.Context().Err() == nil {
		c.Log.DebugContext(r.Context(), "a page is not told of changes any more", "error", err)
	}
}

// refuse answers in place of a stream. A browser does not come back for it.
func (c live) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var known *problem
	switch {
	case errors.Is(err, ui.ErrNoSession):
		status = http.StatusUnauthorized
	case errors.As(err, &known):
		status = known.status
	case db.Passes(err):
		status = http.StatusServiceUnavailable
		fallthrough
	default:
		c.Log.ErrorContext(r.Context(), "looking at a session", "error", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// look is who is signed in, which is no sign of life of a session.
func (c live) look(r *http.Request) (*visit, error) {
	v := &visit{now: c.Now()}
	var err error
	if id, ok := c.Cookies.ReadPerson(r); ok && c.People != nil {
		if v.person, err = c.People.Look(r.Context(), id); err != nil && !errors.Is(err, people.ErrNoSession) {
			return nil, err
		}
		v.personID = id
	}
	v.session, err = c.Sessions.Current(r)
	if errors.Is(err, ui.ErrNoSession) && v.person != nil {
		v.session = onlyPerson(v.personID)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = c.viewer(r.Context(), v.session) // who is blocked has no inbox
	return v, err
}

// inboxStream is one stream.
type inboxStream struct {
	live
	w   http.ResponseWriter
	r   *http.Request
	out *http.ResponseController

	listed, version string // as of the last look at the list
	stale           bool   // what the company said of the person is too old
	looked, sent    time.Time
}

// begin says what kind of answer it is.
func (s *inboxStream) begin() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect them
}

// run sends an event now and whenever the viewer's list is another one.
func (s *inboxStream) run(ctx context.Context, v *visit) error {
	if err := s.write("retry: 5000\n\n"); err != nil {
		return err
	}
	return s.Streams.ticks(ctx, func() (over bool, err error) {
		if v == nil { // of this turn, nobody has looked yet
			if v, over, err = s.again(s.look); over || err != nil {
				return over, err
			}
		}
		err, v = s.tell(ctx, v), nil
		return false, err
	})
}

// again is who is signed in now. Whoever is not any more is told so, and the stream is over.
func (s *inboxStream) again(look func(*http.Request) (*visit, error)) (v *visit, over bool, err error) {
	v, err = look(s.r)
	if known := (*problem)(nil); errors.Is(err, ui.ErrNoSession) || errors.As(err, &known) {
		return nil, true, s.write("event: ended\ndata: \n\n")
	}
	return v, false, err
}

// tell sends what stands for the viewer's list, if that is not what was sent last.
func (s *inboxStream) tell(ctx context.Context, v *visit) error {
	version, err := s.Streams.current(ctx, s.Approvals.WaitingVersion)
	if err != nil {
		return err
	}
	stale := v.person != nil && v.person.Stale
	// Time alone makes some wait for others (escalate), so the list is looked at once in a while.
	if version != s.version || stale != s.stale || s.Streams.now().Sub(s.looked) > streamQuiet {
		waiting, err := lists{s.Console}.waitingFor(ctx, v)
		if err != nil {
			return err
		}
		s.version, s.stale, s.looked = version, stale, s.Streams.now()
		if now := listed(waiting); now != s.listed {
			s.listed = now
			return s.write(fmt.Sprintf("event: list\ndata: %s\n\n", now))
		}
	}
	return s.keep()
}

// keep sends something that says nothing, if nothing was sent for long.
func (s *inboxStream) keep() error {
	if s.Streams.now().Sub(s.sent) <= streamQuiet {
		return nil
	}
	return s.write(":\n\n")
}

// write sends something at once.
func (s *inboxStream) write(text string) error {
	s.sent = s.Streams.now()
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.out.Flush()
}

package api

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/people"
)

// Overview is what happens.
type Overview struct {
	Days         []Day       `json:"days" doc:"calls of the last days, the oldest first"`
	Waiting      int         `json:"waiting" doc:"calls that wait for a person"`
	LostLogins   int         `json:"lost_logins" doc:"people who must sign in at Salesforce again"`
	WaitingTools int         `json:"waiting_definitions" doc:"definitions that wait for a person"`
	CircuitOpen  []string    `json:"circuit_open" doc:"servers whose calls are refused because Salesforce failed several times in a row"`
	Stop         access.Stop `json:"stop" enum:"off,writes,all"`
	OtherLogs    []string    `json:"other_logs,omitempty" doc:"machines of other replicas, which count the calls of days in their own audit logs; here they are of the one that answers"`
}

// Day is how many calls ended how on one day.
type Day struct {
	Begin    time.Time `json:"begin" doc:"midnight UTC"`
	Answered int       `json:"answered"`
	Held     int       `json:"held"`
	Denied   int       `json:"denied"`
	Failed   int       `json:"failed"`
}

// overview counts.
func (a settingsRoutes) overview(q *call) (Overview, error) {
	o := Overview{CircuitOpen: []string{}}
	days, err := a.Reads.Calls(q.Context(), q.now)
	if err != nil {
		return o, err
	}
	for _, d := range days {
		o.Days = append(o.Days, Day{d.Begin, d.Of(audit.OK), d.Of(audit.Held), d.Of(audit.Denied), d.Of(audit.Failed)})
	}
	if o.OtherLogs, err = a.Reads.OtherLogs(q.Context(), q.now); err != nil {
		return o, err
	}
	if o.Waiting, err = a.Reads.Approvals.Count(q.Context(), approval.Filter{State: approval.Pending}); err != nil {
		return o, err
	}
	if o.LostLogins, err = a.Reads.LostLogins(q.Context()); err != nil {
		return o, err
	}
	if o.WaitingTools, err = a.Reads.WaitingDefinitions(q.Context()); err != nil {
		return o, err
	}
	for name, open := range a.CircuitOpen() {
		if open {
			o.CircuitOpen = append(o.CircuitOpen, name)
		}
	}
	slices.Sort(o.CircuitOpen)
	o.Stop, _ = a.Reads.Access.StopMode(q.Context()) // when it cannot be read, everything is stopped
	return o, nil
}

// StopSwitch is the kill switch.
type StopSwitch struct {
	Position access.Stop `json:"position" enum:"off,writes,all" doc:"as it was set"`
	Holds    access.Stop `json:"holds" enum:"off,writes,all" doc:"what is refused now"`
	Since    time.Time   `json:"since,omitzero"`
	By       string      `json:"by,omitempty"`
	Note     string      `json:"note,omitempty" doc:"why what holds is not as it was set"`

	seen   access.StopSetting
	unread bool // altered, or of a newer version: there is no setting to be seen
}

// version changes with each setting.
func (s *StopSwitch) version() string {
	return string(s.Position) + " " + strconv.FormatInt(s.Since.UnixMilli(), 10) + " " + s.By + " " + s.Note
}

// stop reads the kill switch.
func (a settingsRoutes) stop(q *call) (*StopSwitch, error) {
	s := &StopSwitch{}
	var err error
	s.seen, err = a.Reads.Access.StopSetting(q.Context())
	unread := errors.Is(err, access.ErrStopAltered) || errors.Is(err, access.ErrStopUnknown)
	if err != nil && !unread {
		return nil, err
	}
	if unread { // everything is stopped here; it can be set anew all the same
		s.unread, s.seen.Position, s.Note = true, access.StopAll, err.Error()
	}
	s.Position, s.Since, s.By = s.seen.Position, s.seen.At, s.seen.By
	if s.Holds, err = a.Reads.Access.StopMode(q.Context()); err != nil && s.Note == "" {
		s.Note = err.Error()
	}
	if here, is := a.Reads.Access.StoppedHere(); is {
		s.Holds, s.Note = access.StopAll, here.String()
	}
	return s, nil
}

// Stop is where the kill switch is to stand, and why.
type Stop struct {
	Position access.Stop `json:"position" enum:"off,writes,all"`
	Reason   Reason      `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// setStop sets the kill switch, if it is as the program saw it.
func (a settingsRoutes) setStop(q *call, in *Stop) (*StopSwitch, error) {
	seen, ok := q.current.(*StopSwitch)
	if !ok {
		return nil, errors.New("setting stop: nothing was seen")
	}
	set := func() error { return a.Cutoff.StopFrom(q.Context(), seen.seen, in.Position, q.act(in.Reason)) }
	if q.Header.Get("If-Match") == "*" || seen.unread { // whatever it is
		set = func() error { return a.Cutoff.Stop(q.Context(), in.Position, q.act(in.Reason)) }
	}
	err := set()
	switch {
	case errors.Is(err, access.ErrStopMoved):
		now, err := a.stop(q)
		if err != nil {
			return nil, err
		}
		return nil, q.moved(now)
	case in.Position != access.StopOff && !seen.seen.Position.StopsMoreThan(in.Position): // what gives access is done whole or not at all
		err = a.partly(q, err)
	}
	return readAfter(a.API, q, err, a.stop)
}

// Settings is the configuration in force.
type Settings struct {
	Configuration string `json:"configuration" doc:"YAML, without secrets"`
}

func (a settingsRoutes) settings(*call) (Settings, error) {
	var text bytes.Buffer
	err := a.Settings(&text)
	return Settings{text.String()}, err
}

// Session is a browser that is signed in with the company.
type Session struct {
	ID       string    `json:"id"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Name     string    `json:"name,omitempty"`
	Roles    []string  `json:"roles"`
	Stale    bool      `json:"stale" doc:"the provider must be asked again before a role counts"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
}

func (a settingsRoutes) sessions(q *call) (List[Session], error) {
	all, err := a.People.Sessions(q.Context())
	if err != nil {
		return List[Session]{}, err
	}
	return listed(q, all, func(p people.Person) string { return newestFirst(p.CreatedAt, p.ID) }, func(p people.Person) Session {
		return Session{p.ID, p.Issuer, p.Subject, p.Name, append([]string{}, p.Roles...), p.Stale, p.CreatedAt, p.SeenAt, p.ExpiresAt}
	})
}

func (a settingsRoutes) endSession(q *call, in *Why) (Nothing, error) {
	return Nothing{}, a.Cutoff.EndSession(q.Context(), q.variable("session"), q.act(in.Reason))
}

// Token is a token of a program; not the token itself.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	State     string    `json:"state" enum:"good,expired,revoked"`
	CreatedBy string    `json:"created_by"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
	LastUse   time.Time `json:"last_use,omitzero"`
}

func (a settingsRoutes) tokens(q *call) (List[Token], error) {
	all, err := a.Tokens.List(q.Context())
	if err != nil {
		return List[Token]{}, err
	}
	return listed(q, all, func(t apitoken.Token) string { return newestFirst(t.CreatedAt, t.ID) }, func(t apitoken.Token) Token {
		return Token{t.ID, t.Name, t.Role, t.State(q.now), t.CreatedBy.String(), t.CreatedAt, t.ExpiresAt, t.LastUsedAt}
	})
}

func (a settingsRoutes) revokeToken(q *call, in *Why) (Nothing, error) {
	_, err := a.Cutoff.RevokeAPIToken(q.Context(), q.variable("token"), q.act(in.Reason))
	return Nothing{}, err
}

package ui

import (
	"context"
	"html/template"
	"net/url"
	"regexp"
)

// Site is what every page of one deployment shows beside its own content. The zero value
// shows nothing.
type Site struct {
	// Contact is whom people ask, in words, a mail address or an https URL; empty: nobody is named.
	Contact string
	// Stopped says what the kill switch stops at the moment; nil: nothing. Where that cannot
	// be found out, it is [NothingStopped]: pages do not claim what is not known.
	Stopped func(context.Context) Stopped

	turns chan struct{} // to render, in tests; nil: those of the process
}

// Stopped is what the kill switch stops, as pages tell it.
type Stopped int

// The positions of the kill switch.
const (
	NothingStopped Stopped = iota
	WritesStopped
	AllStopped
)

// Writes reports whether changes are stopped and reading is not.
func (s Stopped) Writes() bool { return s == WritesStopped }

// All reports whether everything is stopped.
func (s Stopped) All() bool { return s == AllStopped }

func (s Site) stopped(ctx context.Context) Stopped {
	if s.Stopped == nil {
		return NothingStopped
	}
	return s.Stopped(ctx)
}

var mailAddress = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)

// contact is whom to ask, for the layout.
type contact string

// Address is where a link to the contact leads; empty: it is no address.
func (c contact) Address() template.URL {
	if mailAddress.MatchString(string(c)) {
		return template.URL("mailto:" + string(c))
	}
	if u, err := url.Parse(string(c)); err == nil && u.Scheme == "https" && u.Host != "" {
		return template.URL(string(c))
	}
	return ""
}

// Text is the contact as it was configured.
func (c contact) Text() string { return string(c) }

package main

import (
	"context"
	"net/http"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// site is what all pages show: whom to ask, and what is stopped.
func (p *product) site() ui.Site {
	return ui.Site{Contact: p.config.Contact, Stopped: func(ctx context.Context) ui.Stopped {
		stop, err := p.access.StopMode(ctx)
		switch {
		case err != nil: // calls are refused then; that it was an administrator's doing is not known
			return ui.NothingStopped
		case stop == access.StopWrites:
			return ui.WritesStopped
		case stop == access.StopAll:
			return ui.AllStopped
		}
		return ui.NothingStopped
	}}
}

// message answers with a page that says one thing and leads on.
func (p *product) message(status int, title, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := ui.MessagePage{Title: title, Text: text, RequestID: audit.OriginOf(r.Context()).RequestID}
		if status == http.StatusTooManyRequests && r.Method == http.MethodGet { // it began nothing, so asking again does no more
			page.Links = append(page.Links, ui.Link{Text: "Try again", Path: r.URL.RequestURI()})
		}
		page.Links = append(page.Links, ui.Link{Text: "Your account", Path: "/account"}, ui.Link{Text: "What this place is", Path: "/"})
		if err := p.site().Render(r.Context(), w, status, page); err != nil {
			http.Error(w, title, status)
		}
	})
}

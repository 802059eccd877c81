package console

import (
	"errors"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/ui"
)

// problem is an error that the person is told about.
type problem struct {
	status      int
	title, text string
}

func (p *problem) Error() string { return p.title }

var (
	errNotFound = &problem{http.StatusNotFound, "Not found",
		"There is nothing of yours at this address."}
	// errNoCall is the answer for an id that was never given and for somebody else's call: the
	// same, so that it tells nobody which of them it is.
	errNoCall = &problem{http.StatusNotFound, "No call waits for you here",
		"There is no call of yours at this address. If a colleague sent you the link, it is for them, or for somebody with a role. You cannot see or decide it."}
	errBlocked = &problem{http.StatusForbidden, "Your access is blocked",
		"Your security team has blocked your access. Ask them if you think that this is a mistake."}
	errSignedOut = &problem{http.StatusUnauthorized, "You are not signed in",
		"Nothing was done. Sign in, then try again."}
	errTooMany = &problem{http.StatusTooManyRequests, "Too many pages",
		"This browser, or another one that you are signed in with, has asked for many pages in a short time. Nothing was done. Wait a minute, then try again."}
	errStale = &problem{http.StatusForbidden, "Your company must say again who you are",
		"Your company's sign-in has not been asked for a while, so no role counts until it has. Nothing was done. Open the page again."}
	errDecision = &problem{http.StatusBadRequest, "No decision",
		"The form holds no decision. Nothing was done."}
	errReason = &problem{http.StatusBadRequest, "The reason is too long",
		"A reason has " + actor.ForDenial.String() + ". Nothing was done."}
	errNoPerson = &problem{http.StatusForbidden, "This page is for people with a role",
		"Roles come from your company's sign-in, and this browser is not signed in with it. Nothing was done. Sign in with your company, then open the page again."}
	errNoRole = &problem{http.StatusForbidden, "This page is for people with a role",
		"You hold none of the roles that may open this page or do what it offers. Nothing was done. Whoever administers the proxy gives roles, in the configuration under console.roles."}
	errNoProposal = &problem{http.StatusForbidden, "You cannot propose other values",
		"Only somebody who may agree to a call of somebody else, while it waits, can propose other values for it. Nothing was done."}
	errHappened = &problem{http.StatusBadRequest, "Nothing is said",
		"The form does not say whether it happened. Nothing was done."}
	errHowKnown = &problem{http.StatusBadRequest, "How do you know?",
		"Say in a few words how you know, in " + actor.ForDecision.String() + ". Nothing was done."}
	errTooManyWait = &problem{http.StatusConflict, "Too many calls wait",
		"Too many calls of this connection or person wait for approval. Nothing was done. Have these decided first."}
	errAlone = &problem{http.StatusConflict, "These calls are not decided together",
		"Only calls of one connection that wait, that the same people are asked about, and whose rules say so, are decided together. One of them may have been decided meanwhile. Nothing was done."}
)

// otherApprover says that somebody else must decide about a call, and why.
func otherApprover(why error) error {
	return &problem{http.StatusForbidden, "Somebody else must decide", strings.TrimSpace(whyNot(why) + " Nothing was done, and nothing is expected of you.")}
}

// What is said of an act that is not in the audit log: of one that is done ([audit.UnrecordedError]), and of one that is not.
const (
	titleUnrecorded = "Done, but not recorded"
	textUnrecorded  = "What you asked for is done, and stays so: it need not be done again. It could not be written to the audit log. The proxy's own log says why."
	// textInDoubt is said of a decision that the database took and did not answer ([approval.ErrInDoubt]).
	textInDoubt = "The database did not answer, so it is not known whether what you decided counts. Open the call again in a moment: its page says what became of it."
	// textNotKnown is said of any other act of that kind.
	textNotKnown = "The database did not answer, so it is not known whether what you asked for was done. Look again in a moment, and do it again if it was not."
	// textNoIntent is said of an act that gives access, which is recorded first ([audit.ErrNoIntent]).
	textNoIntent = "It could not be written to the audit log, and nobody is given anything without an entry there. Whoever administers the proxy finds in its own log why. Try again once that is mended."
)

// fail answers with a page that says what went wrong. Only a problem and a refusal
// are told; of everything else the log knows the cause and the person that it failed.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	page := ui.MessagePage{Title: "Something went wrong", Text: "It is our fault and it is recorded. Try again in a moment."}
	status := http.StatusInternalServerError
	page.RequestID = audit.OriginOf(r.Context()).RequestID
	if v != nil {
		page.Viewer = &v.viewer
	}
	if errors.Is(err, ui.ErrNoSession) {
		err = errSignedOut
		page.Links = []ui.Link{{Text: "Sign in", Path: c.signInPath(r)}}
	}
	if audit.Unrecorded(err) != nil && audit.TookEffect(err) {
		c.Log.ErrorContext(r.Context(), "an act of a page is not in the audit log", "path", r.URL.Path, "error", err)
		status, page.Title, page.Text = http.StatusOK, titleUnrecorded, textUnrecorded
	} else if errors.Is(err, audit.ErrNoIntent) {
		c.Log.ErrorContext(r.Context(), "an act of a page cannot be recorded, so it was not done", "path", r.URL.Path, "error", err)
		status, page.Title, page.Text = http.StatusServiceUnavailable, "Nothing was done", textNoIntent
	} else if errors.Is(err, approval.ErrInDoubt) {
		c.Log.ErrorContext(r.Context(), "whether an act of a page was done is not known", "path", r.URL.Path, "error", err)
		status, page.Title, page.Text = http.StatusServiceUnavailable, "Nobody knows yet", textNotKnown
		if strings.HasPrefix(r.URL.Path, "/approvals/") {
			page.Text = textInDoubt
		}
	} else if p, ok := errors.AsType[*problem](err); ok {
		status, page.Title, page.Text = p.status, p.title, p.text
	} else if refusal, ok := errors.AsType[*ui.Refusal](err); ok {
		status, page.Title, page.Text = refusal.Status, "Nothing was done", refusal.Text
	} else {
		c.Log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		if db.Passes(err) {
			w.Header().Set("Retry-After", "1")
			status, page.Title, page.Text = http.StatusServiceUnavailable, "This cannot be done at the moment", "What has to be looked up or stored for it could not be. Try again in a few seconds."
		}
	}
	page.Links = append(page.Links, c.waysOn(r, status, err)...)
	c.render(w, r, status, page)
}

// waysOn are the links of a page that says what went wrong: to what was tried, where opening
// it does nothing, and to pages that work.
func (c *Console) waysOn(r *http.Request, status int, err error) (links []ui.Link) {
	here := ui.SafeReturnTo(r.URL.EscapedPath())
	_, refused := errors.AsType[*ui.Refusal](err)
	switch {
	case errors.Is(err, errBlocked): // every page but this one is closed to them
		return []ui.Link{{Text: "Sign in as somebody else", Path: "/signin"}}
	case status >= http.StatusInternalServerError && r.Method != http.MethodPost:
		links = append(links, ui.Link{Text: "Try again", Path: here})
	case (refused || errors.Is(err, approval.ErrInDoubt) || errors.Is(err, errDecision) || errors.Is(err, errReason)) && strings.HasPrefix(here, "/approvals/"):
		links = append(links, ui.Link{Text: "Open the call again", Path: here})
	}
	if strings.HasPrefix(here, "/approvals/") {
		links = append(links, ui.Link{Text: "Your approvals", Path: "/approvals"})
	}
	if errors.Is(err, errNoPerson) {
		links = append(links, ui.Link{Text: "Sign in with your company", Path: c.signInPath(r)})
	}
	if strings.HasPrefix(here, "/console/") && !errors.Is(err, errNoPerson) && !errors.Is(err, errNoRole) {
		links = append(links, ui.Link{Text: "Console", Path: "/console"})
	}
	return append(links, ui.Link{Text: "Your account", Path: "/account"})
}

// render writes page. When that fails there is nobody left to tell but the log.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, page ui.Page) {
	if err := c.Site.Render(r.Context(), w, status, page); err != nil {
		c.Log.ErrorContext(r.Context(), "page not written", "path", r.URL.Path, "error", err)
	}
}

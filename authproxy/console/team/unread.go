package team

import (
	"strings"
	"time"

	"sfmcp-proxy/authproxy/ui"
)

// What stands on a page in the place of a part that could not be read.
const (
	unreadCell = "not known: it cannot be read"
	unreadText = "This cannot be read at the moment. The proxy's own log says why; 'audit verify' at the command line says whether the audit log is whole."
)

// part is a part of a page, and what it shows.
type part struct {
	shows string
	add   func(*request, *ui.ConsolePage) error
}

// add adds parts to a page. One that cannot be read is left out, and a note says so: whatever keeps it from being read may
// be why somebody is here, and what the page offers to do can be done all the same.
func (t *Team) add(q *request, p *ui.ConsolePage, all []part) error {
	var missing []string
	for _, one := range all {
		if err := one.add(q, p); err != nil {
			if q.Context().Err() != nil { // nobody waits for the page
				return err
			}
			t.unread(q, one.shows, err)
			missing = append(missing, one.shows)
		}
	}
	if len(missing) > 0 {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "Not shown: " + strings.Join(missing, "; ") + ". " + unreadText})
	}
	return nil
}

// toldAgain is how long the proxy's log is not told again of the same part: pages read it for each row, and every few seconds.
const toldAgain = time.Minute

// unread notes in the proxy's log that a part of a page could not be read, unless nobody waits for the page any more.
func (t *Team) unread(q *request, what string, err error) {
	if q.Context().Err() != nil {
		return
	}
	if at, ok := t.told.Load(what); ok && q.Now.Sub(at.(time.Time)).Abs() < toldAgain {
		return
	}
	t.told.Store(what, q.Now)
	t.Log.ErrorContext(q.Context(), "a part of a page of the console could not be read", "path", q.URL.Path, "part", what, "error", err)
}

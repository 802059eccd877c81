package team

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// livePause is how old what browsers are told may be: it is made once for all of them.
const livePause = 5 * time.Second

// liveOverview is the part of the overview that changes while it is in view, as it was made last.
type liveOverview struct {
	mu   sync.Mutex
	at   time.Time
	text string
}

// watched are the parts of the overview that are told to browsers which have it in view. They are
// the same for everybody.
func (t *Team) watched() []func(*request, *ui.ConsolePage) error {
	return []func(*request, *ui.ConsolePage) error{t.hereNote, t.callTiles, t.waitingTile, t.loginTile, t.definitionTile, t.healthTile, t.budgetTile, t.stopTile, t.healthSection,
		t.budgetSection}
}

// overviewPart is what of the overview changes.
func (t *Team) overviewPart(ctx context.Context) (string, error) {
	t.live.mu.Lock()
	defer t.live.mu.Unlock()
	if !t.live.at.IsZero() && time.Since(t.live.at) < livePause {
		return t.live.text, nil
	}
	nobody := &request{Request: (&http.Request{URL: &url.URL{}}).WithContext(ctx), Member: &console.Member{Person: &people.Person{}, Now: t.Reads.Now()}, named: t.People.Names(ctx)}
	p := ui.ConsolePage{Live: eventsPath}
	for _, part := range t.watched() {
		if err := part(nobody, &p); err != nil {
			return "", err
		}
	}
	text, err := t.Site.LivePart(ctx, p)
	if err == nil {
		t.live.text, t.live.at = text, time.Now()
	}
	return text, err
}

// eventsPath is where the overview learns of changes.
const eventsPath = "/console/events"

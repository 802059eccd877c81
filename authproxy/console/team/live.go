package team

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/shared"
	"sfmcp-proxy/authproxy/ui"
)

// livePause is how old what browsers are told may be: it is made once for all of them.
const livePause = 5 * time.Second

// watched are the parts of the overview that are told to browsers which have it in view. They are
// the same for everybody.
func (t *Team) watched() []part {
	return []part{{"whether this machine is stopped by itself", t.hereNote}, {"the calls of the last days", t.callTiles}, {"how many calls wait for a person", t.waitingTile},
		{"how many logins are lost", t.loginTile}, {"how many tools changed", t.definitionTile}, {"how Salesforce does", t.healthTile}, {"budgets near their end", t.budgetTile},
		{"where the stop switch stands", t.stopTile}, {"how Salesforce does, by server", t.healthSection}, {"whose budgets are near their end", t.budgetSection}}
}

// overviewPart is what of the overview changes.
func (t *Team) overviewPart(ctx context.Context) (string, error) {
	return t.live.Get(ctx, shared.Ask[string]{Now: t.Reads.Now, Lasts: livePause, Make: t.makeOverviewPart})
}

// makeOverviewPart makes it.
func (t *Team) makeOverviewPart(ctx context.Context) (string, error) {
	nobody := &request{Request: (&http.Request{URL: &url.URL{}}).WithContext(ctx), Member: &console.Member{Person: &people.Person{}, Now: t.Reads.Now()}, named: t.People.Names(ctx)}
	p := ui.ConsolePage{Live: eventsPath}
	if err := t.add(nobody, &p, t.watched()); err != nil {
		return "", err
	}
	return t.Site.LivePart(ctx, p)
}

// eventsPath is where the overview learns of changes.
const eventsPath = "/console/events"

package team

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/ui"
)

// What cannot be read of a page is named on it, and keeps nothing else from it; of a page that nobody waits for nothing
// is said.
func TestPartsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	tile := func(_ *request, p *ui.ConsolePage) error {
		p.Tiles = append(p.Tiles, ui.Tile{Number: "1"})
		return nil
	}
	fails := func(*request, *ui.ConsolePage) error { return errors.New("disk") }
	var log strings.Builder
	team := &Team{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	ctx, gone := context.WithCancel(t.Context())
	q := &request{Request: httptest.NewRequest(http.MethodGet, "/console", nil).WithContext(ctx), Member: &console.Member{Now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}}
	for _, tt := range []struct {
		parts []part
		tiles int
		note  string
	}{
		{[]part{{"one", tile}, {"another", tile}}, 2, ""},
		{[]part{{"the calls", fails}, {"one", tile}, {"the budgets", fails}}, 1, "Not shown: the calls; the budgets. "},
		{[]part{{"the calls", fails}}, 0, "Not shown: the calls. "},
	} {
		var p ui.ConsolePage
		if err := team.add(q, &p, tt.parts); err != nil || len(p.Tiles) != tt.tiles {
			t.Errorf("%v, %+v", err, p)
		}
		if (tt.note == "") != (len(p.Notes) == 0) || len(p.Notes) > 0 && !strings.HasPrefix(p.Notes[0].Text, tt.note) {
			t.Errorf("%+v", p.Notes)
		}
	}
	if n := strings.Count(log.String(), "could not be read"); n != 2 {
		t.Errorf("the log is told %d times of two parts:\n%s", n, &log)
	}
	q.Now = q.Now.Add(toldAgain)
	if err := team.add(q, &ui.ConsolePage{}, []part{{"the calls", fails}}); err != nil || strings.Count(log.String(), "could not be read") != 3 {
		t.Errorf("a minute later: %v\n%s", err, &log)
	}
	gone()
	var p ui.ConsolePage
	if err := team.add(q, &p, []part{{"the calls", fails}}); err == nil || len(p.Notes) > 0 {
		t.Errorf("gone: %v, %+v", err, p)
	}
}

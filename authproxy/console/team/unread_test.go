package team

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
	team := &Team{Config: Config{Log: slog.New(slog.DiscardHandler)}}
	ctx, gone := context.WithCancel(t.Context())
	q := &request{Request: httptest.NewRequest(http.MethodGet, "/console", nil).WithContext(ctx)}
	for _, tt := range []struct {
		parts []part
		tiles int
		note  string
	}{
		{[]part{{"one", tile}, {"another", tile}}, 2, ""},
		{[]part{{"the calls", fails}, {"one", tile}, {"the budgets", fails}}, 1, "Not shown: the calls; the budgets. "},
	} {
		var p ui.ConsolePage
		if err := team.add(q, &p, tt.parts); err != nil || len(p.Tiles) != tt.tiles {
			t.Errorf("%v, %+v", err, p)
		}
		if (tt.note == "") != (len(p.Notes) == 0) || len(p.Notes) > 0 && !strings.HasPrefix(p.Notes[0].Text, tt.note) {
			t.Errorf("%+v", p.Notes)
		}
	}
	gone()
	var p ui.ConsolePage
	if err := team.add(q, &p, []part{{"the calls", fails}}); err == nil || len(p.Notes) > 0 {
		t.Errorf("gone: %v, %+v", err, p)
	}
}

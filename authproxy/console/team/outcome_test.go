package team

import (
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// The page of an act says what was done as done: what could not be looked up afterwards, or recorded, is said beside it, and only
// what was not done asks to do it again.
func TestOutcomesSayWhatIsDone(t *testing.T) {
	t.Parallel()
	team := &Team{Config: Config{Log: slog.New(slog.DiscardHandler)}}
	lost, locked := &audit.UnrecordedError{Err: errors.New("disk full")}, errors.New("locked")
	const again, unrecorded, unfound = "Do it again", "but not in the audit log", "could not be looked up"
	for name, tt := range map[string]struct {
		incomplete, unfound error
		says                []string
	}{
		"done":                           {nil, nil, nil},
		"done, and elsewhere not known":  {nil, locked, []string{unfound}},
		"done, and not recorded":         {lost, nil, []string{unrecorded}},
		"not recorded, nor looked up":    {lost, locked, []string{unrecorded, unfound}},
		"not all done":                   {locked, nil, []string{again}},
		"not all done, nor looked up":    {locked, locked, []string{again, unfound}},
		"not all done, and not recorded": {errors.Join(locked, &audit.UnrecordedError{Partly: true, Err: lost.Err}), nil, []string{again}},
	} {
		w := httptest.NewRecorder()
		q := &request{ResponseWriter: w, Request: httptest.NewRequest(http.MethodPost, "/console/people/acme/005A/block", nil), Member: &console.Member{Person: &people.Person{}}}
		err := team.tell(q, outcome{title: "Blocked", text: "Blocked Ann.", reached: true, incomplete: tt.incomplete, unfound: tt.unfound, back: ui.Link{Text: "Ann", Path: "/console/people/acme/005A"}})
		page := html.UnescapeString(w.Body.String())
		if err != nil || w.Code != http.StatusOK || !strings.Contains(page, "Blocked Ann.") {
			t.Errorf("%s: %d, %v", name, w.Code, err)
		}
		for _, text := range []string{again, unrecorded, unfound} {
			want := strings.Contains(strings.Join(tt.says, "\n"), text)
			if strings.Contains(page, text) != want {
				t.Errorf("%s: %q is said: %t", name, text, !want)
			}
		}
	}
}

package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
)

// AU-08: a program is told that an act is done which is not in the audit log, and not to try again; of one that is done in
// part it is told that.
func TestAU08ActsThatAreNotRecorded(t *testing.T) {
	t.Parallel()
	a := &API{}
	a.Log = slog.New(slog.DiscardHandler)
	lost := &audit.UnrecordedError{Err: errors.New("disk full")}
	r := httptest.NewRequest(http.MethodPost, "/console/api/v1/stop", nil)
	q := &call{Request: r}
	for _, tt := range []struct {
		err  error
		want kind
	}{
		{lost, unrecorded}, {errors.Join(lost), unrecorded}, {errors.Join(lost, errors.New("locked")), incomplete}, {errors.New("locked"), incomplete},
	} {
		if p := a.problemOf(r, a.partly(q, tt.err)); p.Type != tt.want.name || p.Status != tt.want.status {
			t.Errorf("%v: %+v", tt.err, p)
		}
	}
	if p := a.problemOf(r, fmt.Errorf("%w: disk is full", audit.ErrNoIntent)); p.Type != passing.name || !strings.HasPrefix(p.Detail, "Nothing was done") || strings.Contains(p.Detail, "disk") {
		t.Errorf("what was not begun: %+v", p)
	}
	if p := a.problemOf(r, lost); p.Type != unrecorded.name {
		t.Errorf("%+v", p)
	}
	if err := a.partly(q, nil); err != nil {
		t.Error(err)
	}
}

// The handbook says of each answer of 500 to an act what became of the act.
func TestAU08HandbookNamesWhatBecameOfAnAct(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../examples/handbook/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []kind{incomplete, unrecorded, unread, ours} {
		if of.status != http.StatusInternalServerError || !strings.Contains(string(text), "`"+of.name+"`") {
			t.Errorf("%s, %d, is not in the handbook", of.name, of.status)
		}
	}
}

package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// AD-02: whoever asks for an act that is not theirs and hangs up is on record.
func TestAD02ARefusedActIsOnRecordWithoutItsCaller(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.console.Audit = s.audit
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/console/stop", nil)
	if err := s.console.refused(r, &visit{session: &ui.Session{Org: "acme", Subject: "005A"}}, errNoRole); !errors.Is(err, errNoRole) {
		t.Errorf("refused with %v", err)
	}
	found := 0
	err := s.audit.List(t.Context(), audit.Filter{Action: string(audit.SessionUse), Outcome: audit.Denied}, func(audit.Entry) error { found++; return nil })
	if err != nil || found != 1 {
		t.Errorf("%d entries, %v", found, err)
	}
}

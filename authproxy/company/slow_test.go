package company

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A provider that answers slowly keeps nobody waiting who can go on with what it said before: one asks, the others do not
// wait for the answer.
func TestNobodyWaitsForMetadataThatIsKnown(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	var issuer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["RS256"]}`,
			issuer, issuer+"/authorize", issuer+"/token", issuer+"/keys")
	}))
	t.Cleanup(server.Close)
	issuer = server.URL
	var at atomic.Int64
	p := newProvider(Provider{Issuer: issuer, ClientID: "c"}, &Config{HTTP: server.Client(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(at.Load(), 0) }})
	at.Store(1_000_000)
	ask := func() chan *found {
		to := make(chan *found, 1)
		go func() {
			f, err := p.metadata(t.Context())
			if err != nil {
				t.Error(err)
			}
			to <- f
		}()
		return to
	}
	first := ask()
	<-asked
	answer <- struct{}{}
	known := <-first
	at.Add(int64(2 * metadataFor / time.Second))
	again := ask()
	<-asked
	for range 3 {
		if got := <-ask(); got != known {
			t.Errorf("while it is asked: %+v", got)
		}
	}
	answer <- struct{}{}
	if got := <-again; got == known || got == nil {
		t.Errorf("who asked: %+v", got)
	}
	if got := <-ask(); got == known {
		t.Error("the answer is not the new one")
	}
}

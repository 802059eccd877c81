package doctor

import (
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

func TestClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]Grade{
		0: Good, 29 * time.Second: Good, -30 * time.Second: Good, 31 * time.Second: Warn, -60 * time.Second: Warn,
		61 * time.Second: Fail, -5 * time.Minute: Fail,
	} {
		if f := clock("acme", ahead, true); f.Status != want || (want != Good) == (f.Fix == "") {
			t.Errorf("%v: %+v", ahead, f)
		}
	}
	if f := clock("acme", 5*time.Minute, true); !strings.Contains(f.Found, "5m0s behind") {
		t.Errorf("%+v", f)
	}
}

// FT-32: a clock by which replicas differ is said, with what to do.
func TestFaultFT32ClockOfDatabase(t *testing.T) {
	t.Parallel()
	for ahead, found := range map[time.Duration]string{0: "agrees", -30 * time.Second: "agrees", 31 * time.Second: "31s ahead of", -2 * time.Minute: "2m0s behind"} {
		f := clockOfDatabase(ahead)
		if !strings.Contains(f.Found, found) || (f.Status == Good) != (f.Fix == "") || (f.Status == Fail) == (found == "agrees") {
			t.Errorf("%v: %+v", ahead, f)
		}
	}
}

// What an authorize request passed before it failed is said, and no more.
func TestFirstWrong(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]wrongness{
		"invalid_client_id":     {"client_id", 0, ""},
		"redirect_uri_mismatch": {"callback", 1, ""},
		"invalid_scope":         {"scopes", 3, ""},
		salesforce.WrongDomain:  {"domain", 0, ""},
		"unavailable":           {"authorize", 0, ""},
	} {
		got := firstWrong(&salesforce.Error{Code: code})
		if got.found = ""; got != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
}

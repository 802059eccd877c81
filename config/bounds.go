package config

import (
	"fmt"
	"time"
)

func (v *validator) lifetimes() {
	l := v.c.Lifetimes
	for _, b := range []struct {
		key      string
		have     time.Duration
		min, max time.Duration
	}{
		{"code", l.Code, time.Second, time.Minute}, // RFC 9700; ASVS 10.4.3
		{"access_token", l.AccessToken, time.Second, 15 * time.Minute},
		{"refresh_idle", l.RefreshIdle, time.Second, 365 * 24 * time.Hour},
		{"refresh_absolute", l.RefreshAbsolute, time.Second, 365 * 24 * time.Hour},
		{"refresh_grace", l.RefreshGrace, 0, 10 * time.Minute},
		{"consent", l.Consent, time.Second, 10 * time.Minute},
		{"approval", l.Approval, time.Second, 24 * time.Hour},
		{"session", l.Session, time.Second, 24 * time.Hour},
	} {
		if b.have < b.min || b.have > b.max {
			v.add("lifetimes."+b.key, b.have.String(), fmt.Sprintf("%v to %v", b.min, b.max))
		}
	}
	if wait := v.c.Approvals.Wait; wait < 0 || wait > 25*time.Second {
		v.add("approvals.wait", wait.String(), "0s to 25s, because clients give up a call after 30 to 60 seconds")
	}
	if keep := v.c.Approvals.KeepArguments; keep < 0 || keep > 30*24*time.Hour {
		v.add("approvals.keep_arguments", keep.String(), "0s to 720h, after which nothing of the call is kept here")
	}
	if l.RefreshIdle > l.RefreshAbsolute {
		v.add("lifetimes.refresh_idle", l.RefreshIdle.String(), "at most lifetimes.refresh_absolute ("+l.RefreshAbsolute.String()+")")
	}
}

// lifecycle checks times after which clients are hidden and ended. Uses of a connection are written
// down once a minute, and looked at once an hour: less than a day would say something else.
func (v *validator) lifecycle() {
	l := v.c.Lifecycle
	for key, d := range map[string]time.Duration{"lifecycle.hide_after": l.HideAfter, "lifecycle.end_after": l.EndAfter} {
		if d != 0 && (d < 24*time.Hour || d > 10*365*24*time.Hour) {
			v.add(key, d.String(), "24h to 87600h, or 0s for never")
		}
	}
	if l.HideAfter > l.EndAfter && l.EndAfter != 0 {
		v.add("lifecycle.hide_after", l.HideAfter.String(), "at most lifecycle.end_after ("+l.EndAfter.String()+"): what ended has nothing to be hidden")
	}
}

func (v *validator) limits() {
	l := v.c.Limits
	for _, b := range []struct {
		key            string
		have, min, max int64
	}{
		{"request_bytes", int64(l.RequestBytes), 1 << 10, 64 << 20},
		{"response_bytes", int64(l.ResponseBytes), 2 << 20, 256 << 20}, // Salesforce's widgets are near 1 MiB
		{"calls_per_minute", int64(l.CallsPerMinute), 1, 1_000_000},
		{"concurrent_calls", int64(l.ConcurrentCalls), 1, 10_000},
		{"connections", int64(l.Connections), 16, 1_000_000},
	} {
		if b.have < b.min || b.have > b.max {
			v.add("limits."+b.key, fmt.Sprint(b.have), fmt.Sprintf("%d to %d", b.min, b.max))
		}
	}
}

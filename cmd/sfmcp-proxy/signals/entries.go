package signals

import (
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
)

// Wrote implements [audit.Watcher].
func (s *Signals) Wrote(took time.Duration, err error) {
	if err != nil {
		s.failures.Inc()
		return
	}
	s.writes.Observe(took.Seconds())
}

// Entry implements [audit.Watcher]: what is in the log is counted by the log's words.
func (s *Signals) Entry(e *audit.Entry) {
	action, outcome := string(e.Action), string(e.Outcome)
	if !s.actions[e.Action] {
		action = other
	}
	if !isOutcome(e.Outcome) {
		outcome = other
	}
	s.inc(1, s.entries, action, outcome)
	switch e.Action {
	case audit.LinkRefresh:
		s.inc(1, s.refreshes, outcome)
	case audit.LinkLost:
		s.lost.Inc()
		s.inc(1, s.refreshes, string(audit.Failed))
	}
	switch e.Action {
	case audit.ToolCall, audit.PromptGet, audit.ResourceRead, audit.CompletionComplete:
		s.call(e, outcome)
	}
}

// call counts an entry about a call. The entry of its outcome repeats the decision.
func (s *Signals) call(e *audit.Entry, outcome string) {
	server := s.server(e.Server)
	if e.IntentSeq == 0 && e.Decision != "" {
		effect, mode := effectOf(e.Decision)
		s.inc(1, s.decisions, effect, classOf(e.Class), mode)
	}
	if e.Outcome != audit.Intent {
		s.inc(1, s.calls, server, outcome)
	}
	if e.Hidden > 0 {
		s.inc(float64(e.Hidden), s.hidden, server)
	}
	if e.Cut > 0 {
		s.inc(float64(e.Cut), s.cut, server)
	}
}

func isOutcome(o audit.Outcome) bool {
	switch o {
	case audit.Intent, audit.OK, audit.Failed, audit.Denied, audit.Held, audit.Repeated, audit.Unknown:
		return true
	}
	return false
}

// effectOf takes a decision of the policy apart.
func effectOf(d audit.Decision) (effect, mode string) {
	mode = "enforce"
	bare, shadow := strings.CutSuffix(string(d), string(audit.Decision("").InShadow()))
	if shadow {
		mode = "shadow"
	}
	switch audit.Decision(bare) {
	case audit.Allow, audit.Confirm, audit.Deny:
		return bare, mode
	}
	return other, mode
}

func classOf(class string) string {
	switch policy.Class(class) {
	case policy.Read, policy.SideEffect, policy.Create, policy.Update, policy.Delete, policy.Admin, policy.Unknown:
		return class
	}
	return other
}

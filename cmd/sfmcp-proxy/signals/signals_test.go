package signals

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sfmcp-proxy/authproxy/audit"
)

func newSignals() *Signals {
	return New(Config{Registry: prometheus.NewRegistry(), KnownServer: func(name string) bool { return name == "sales" }})
}

// values are the series of a metric that are not 0: their labels, and the count of a histogram.
func values(t *testing.T, s *Signals, name string) map[string]float64 {
	t.Helper()
	families, err := s.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if v := valueOf(m); v != 0 {
				all[labelsOf(m)] = v
			}
		}
	}
	return all
}

func valueOf(m *dto.Metric) float64 {
	if h := m.GetHistogram(); h != nil {
		return float64(h.GetSampleCount())
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func labelsOf(m *dto.Metric) (text string) {
	for _, l := range m.GetLabel() {
		text += "," + l.GetName() + "=" + l.GetValue()
	}
	if text != "" {
		text = text[1:]
	}
	return text
}

// A call is counted once as judged and once as ended, in the words of the log.
func TestCallsAreCountedByTheLog(t *testing.T) {
	s := newSignals()
	call := audit.Entry{Action: audit.ToolCall, Server: "sales", Class: "read", Decision: audit.Allow, Outcome: audit.Intent}
	s.Entry(&call)
	call.IntentSeq, call.Outcome, call.Hidden, call.Cut = 7, audit.OK, 3, 2
	s.Entry(&call)
	s.Entry(&audit.Entry{Action: audit.ToolCall, Server: "sales", Class: "update", Decision: audit.Confirm, Outcome: audit.Held})
	s.Entry(&audit.Entry{Action: audit.ToolCall, Server: "sales", Class: "delete", Decision: audit.Deny.InShadow(), Outcome: audit.Intent})
	s.Entry(&audit.Entry{Action: audit.PromptGet, Server: "sales", Class: "read", Decision: audit.Deny, Outcome: audit.Denied})
	s.Entry(&audit.Entry{Action: audit.ApprovalDecide, Server: "sales", Class: "update", Decision: audit.Approve, Outcome: audit.OK}) // no call
	s.Entry(&audit.Entry{Action: audit.LinkRefresh, Outcome: audit.OK})
	s.Entry(&audit.Entry{Action: audit.LinkLost, Outcome: audit.Failed})
	s.Wrote(3*time.Millisecond, nil)
	s.Wrote(0, errors.New("disk full"))
	s.Decided(audit.Approve, 4*time.Second)
	for name, want := range map[string]map[string]float64{
		"sfmcp_decisions_total": {"class=read,effect=allow,mode=enforce": 1, "class=update,effect=confirm,mode=enforce": 1,
			"class=delete,effect=deny,mode=shadow": 1, "class=read,effect=deny,mode=enforce": 1},
		"sfmcp_calls_total":                     {"outcome=ok,server=sales": 1, "outcome=held,server=sales": 1, "outcome=denied,server=sales": 1},
		"sfmcp_values_hidden_total":             {"server=sales": 3},
		"sfmcp_records_cut_total":               {"server=sales": 2},
		"sfmcp_salesforce_refreshes_total":      {"outcome=ok": 1, "outcome=error": 1},
		"sfmcp_salesforce_logins_lost_total":    {"": 1},
		"sfmcp_audit_write_duration_seconds":    {"": 1},
		"sfmcp_audit_write_failures_total":      {"": 1},
		"sfmcp_approval_decision_seconds":       {"decision=approved": 1},
		"mcp_server_operation_duration_seconds": {},
	} {
		if diff := cmp.Diff(want, values(t, s, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// AD-14: whatever somebody outside writes, or a hosted server answers, makes no series of its own.
func TestAD14StrangersMakeNoSeries(t *testing.T) {
	s := newSignals()
	count := func() (n int) {
		families, err := s.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			n += len(f.GetMetric())
		}
		return n
	}
	strange := func(i int) {
		word := fmt.Sprint("strange", i)
		s.Entry(&audit.Entry{Action: audit.ToolCall, Server: word, Tool: word, Class: word, Decision: audit.Decision(word), Outcome: audit.Outcome(word), Hidden: 1, Cut: 1})
		s.Entry(&audit.Entry{Action: audit.Action(word), Outcome: audit.OK})
		s.Answered(word, word, "", time.Second)
		s.Sent(word, word, "", time.Second)
		s.Decided(audit.Decision(word), time.Second)
	}
	strange(0)
	before := count()
	for i := range 100 {
		strange(i + 1)
	}
	if after := count(); after != before {
		t.Errorf("%d series, and %d after 100 strangers", before, after)
	}
}

// What is counted on every call allocates nothing once its series are there.
func TestCountingAllocatesNothing(t *testing.T) {
	s := newSignals()
	e := audit.Entry{Action: audit.ToolCall, Server: "sales", Class: "read", Decision: audit.Allow, Outcome: audit.Intent}
	if n := testing.AllocsPerRun(100, func() {
		s.Entry(&e)
		s.Wrote(time.Millisecond, nil)
		s.Answered("sales", "tools/call", "", time.Millisecond)
		s.Sent("sales", "tools/call", "", time.Millisecond)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

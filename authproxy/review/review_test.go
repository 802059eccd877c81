package review

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// history numbers entries.
type history struct {
	seq    int64
	reader Reader
}

func (h *history) add(e audit.Entry) int64 {
	h.seq++
	e.Seq, e.At, e.Actor = h.seq, time.Date(2026, 3, 1, 0, 0, int(h.seq), 0, time.UTC), actor.Operator("o", "")
	h.reader.Add(e)
	return h.seq
}

// begin adds a review with items.
func (h *history) begin(name string, servers []string, items ...*Item) {
	intent := h.add(audit.Entry{Action: audit.ReviewBegin, Object: name, Outcome: audit.Intent})
	for _, i := range items {
		facts, _ := json.Marshal(i.Facts)
		h.add(audit.Entry{Action: audit.ReviewInclude, Object: name, Outcome: audit.OK, Org: "acme", Subject: i.Subject, Server: i.Server, IntentSeq: intent, Arguments: facts})
	}
	scope, _ := json.Marshal(Scope{Servers: servers, Items: len(items)})
	h.add(audit.Entry{Action: audit.ReviewBegin, Object: name, Outcome: audit.OK, IntentSeq: intent, Arguments: scope})
}

func item(subject, server string, used, unused []string) *Item {
	i := &Item{Of: Of{"acme", subject, server}}
	for _, tool := range used {
		i.Used = append(i.Used, Use{Tool: tool, Calls: 1})
	}
	i.Unused = unused
	i.Facts = NewFacts(i.Facts)
	return i
}

// Entries that belong to no review, or to one that has not begun, change none.
func TestReaderTakesWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	var h history
	h.add(audit.Entry{Action: audit.ReviewInclude, Object: "q", Outcome: audit.OK, Subject: "u1", Server: "s", IntentSeq: 77})
	h.add(audit.Entry{Action: audit.ReviewBegin, Object: "q", Outcome: audit.OK, IntentSeq: 78, Arguments: json.RawMessage(`{}`)})
	h.add(audit.Entry{Action: audit.ReviewDecide, Object: "q", Outcome: audit.OK, Subject: "u1", Server: "s", Decision: audit.Revoke})
	h.begin("q", []string{"s"}, item("u1", "s", nil, []string{"t"}))
	h.begin("q", []string{"s"}, item("u2", "s", nil, nil)) // begun twice at once: the first counts
	h.add(audit.Entry{Action: audit.ReviewDecide, Object: "q", Outcome: audit.Intent, Org: "acme", Subject: "u1", Server: "s", Decision: audit.Revoke})
	h.add(audit.Entry{Action: audit.ReviewDecide, Object: "q", Outcome: audit.OK, Org: "acme", Subject: "u2", Server: "s", Decision: audit.Revoke})
	all := h.reader.Reviews()
	if len(all) != 1 || len(all[0].Items) != 1 || all[0].Open() != 1 || all[0].Items[0].Subject != "u1" {
		t.Fatalf("%+v", all)
	}
	h.add(audit.Entry{Action: audit.ReviewDecide, Object: "q", Outcome: audit.Failed, Org: "acme", Subject: "u1", Server: "s", Decision: audit.Revoke, Reason: "left"})
	if d := all[0].Items[0].Decision; d == nil || !d.Incomplete || d.Reason != "left" || all[0].Open() != 0 {
		t.Errorf("%+v", d)
	}
}

// A tool is proposed for denial only where it is known that nobody called it.
func TestProposalKnowsThatNobodyCalled(t *testing.T) {
	t.Parallel()
	many := make([]string, MaxTools+1)
	for i := range many {
		many[i] = fmt.Sprint("m", i)
	}
	erased := item("u2", "b", nil, nil)
	erased.Erased = true
	policies := map[string]string{"a": "p", "b": "p"}
	for _, tt := range []struct {
		name    string
		servers []string
		unknown []string
		items   []*Item
		want    string
	}{
		{"nobody called it", []string{"a", "b"}, nil, []*Item{item("u1", "a", []string{"x"}, []string{"y"}), item("u2", "b", nil, []string{"x", "y"})}, "y"},
		{"somebody did, elsewhere", []string{"a", "b"}, nil, []*Item{item("u1", "a", nil, []string{"y"}), item("u2", "b", []string{"y"}, nil)}, ""},
		{"a server is not in the review", []string{"a"}, nil, []*Item{item("u1", "a", nil, []string{"y"})}, ""},
		{"nobody has listed tools", []string{"a", "b"}, []string{"b"}, []*Item{item("u1", "a", nil, []string{"y"})}, ""},
		{"a list was cut", []string{"a", "b"}, nil, []*Item{item("u1", "a", many, []string{"y"})}, ""},
		{"another replica may know", []string{"a", "b"}, nil, []*Item{item("u1", "a", nil, []string{"y"})}, ""},
		{"somebody was erased", []string{"a", "b"}, nil, []*Item{item("u1", "a", nil, []string{"y"}), erased}, ""},
	} {
		r := &Review{Scope: Scope{Servers: tt.servers, Unknown: tt.unknown}, Items: tt.items}
		if strings.HasPrefix(tt.name, "another replica") {
			r.OtherLogs = []string{"web-2"}
		}
		got := ""
		for _, c := range r.Proposal(policies) {
			got += strings.Join(c.Tools, "+")
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	everyone := item("u1", "a", nil, nil)
	everyone.Groups, everyone.Decision = []string{"*"}, &Decision{What: audit.Revoke}
	changes := (&Review{Items: []*Item{everyone}}).Proposal(policies)
	if len(changes) != 1 || !strings.Contains(changes[0].Difference(), `name groups in the place of "*", or block u1`) {
		t.Errorf("%+v", changes)
	}
}

// Only what nobody used is idle, in the time of the review and since: by calls of its log, and by what connections were
// made or used through any replica. What cannot be known is not.
func TestReviewIdle(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	before, within, after := since.AddDate(0, -2, 0), since.AddDate(0, 1, 0), since.AddDate(0, 5, 0)
	r := &Review{Scope: Scope{Since: since, Until: since.AddDate(0, 3, 0), Servers: []string{"s", "new"}, Unknown: []string{"new"}}}
	for _, tt := range []struct {
		name string
		item Item
		want bool
	}{
		{"never", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before}}, true},
		{"before the time", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: before}}, true},
		{"who may connect", Item{Of: Of{Server: "s"}}, true},
		{"by a call", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: before, UsedTotal: 1}}, false},
		{"within the time, through another replica", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: within}}, false},
		{"at its beginning", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: since}}, false},
		{"just before, and what was used since is not written", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: since.Add(-time.Minute)}}, false},
		{"today, after the time", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: before, LastUsed: after}}, false},
		{"connected after the time", Item{Of: Of{Server: "s"}, Facts: Facts{Granted: after}}, false},
		{"nobody has listed tools", Item{Of: Of{Server: "new"}, Facts: Facts{Granted: before}}, false},
		{"erased", Item{Of: Of{Server: "s"}, Erased: true}, false},
		{"decided", Item{Of: Of{Server: "s"}, Decision: &Decision{What: audit.Keep}}, false},
	} {
		if got := r.Idle(&tt.item, time.Hour); got != tt.want {
			t.Errorf("%s: idle %t", tt.name, got)
		}
	}
}

// A call that waited is one call of its tool, however often it was asked for; one that did not wait counts each time.
func TestUsageCountsCalls(t *testing.T) {
	t.Parallel()
	var u Usage
	add := func(tool, approval string, outcomes ...audit.Outcome) {
		for _, o := range outcomes {
			u.Add(audit.Entry{Action: audit.ToolCall, Tool: tool, Org: "acme", Subject: "u1", Server: "s", Approval: approval, Outcome: o})
		}
	}
	add("create", "apr_1", audit.Held, audit.Held, audit.Held, audit.Intent, audit.OK, audit.Repeated)
	add("create", "apr_2", audit.Held, audit.Denied)
	add("look", "apr_1", audit.OK)
	add("query", "", audit.Intent, audit.OK, audit.Intent, audit.Failed, audit.Denied)
	for _, use := range u.By(Of{"acme", "u1", "s"}) {
		if want := map[string]int64{"create": 2, "look": 1, "query": 2}[use.Tool]; use.Calls != want {
			t.Errorf("%s: %d calls, want %d", use.Tool, use.Calls, want)
		}
	}
}

// Facts fit into one entry of the log, however many tools there are.
func TestD15FactsAreBounded(t *testing.T) {
	t.Parallel()
	var f Facts
	for i := range 1000 {
		name := fmt.Sprintf("%0128d", i)
		f.Used = append(f.Used, Use{Tool: name, Calls: int64(i), Last: time.Date(2026, 3, 1, 0, 0, 0, 999999999, time.UTC)})
		f.Unused = append(f.Unused, name)
	}
	f = NewFacts(f)
	text, err := json.Marshal(f)
	if err != nil || len(text) > 16<<10 || f.UsedTotal != 1000 || f.UnusedTotal != 1000 || f.Used[0].Calls != 999 {
		t.Errorf("%d bytes, %v, %+v", len(text), err, f)
	}
}

// A review of as many items as there may be, all of them decided about.
func BenchmarkReadLargestReview(b *testing.B) {
	const items = 20_000
	of := func(i int) string { return fmt.Sprintf("005xx%013d", i) }
	for b.Loop() {
		var r Reader
		r.Add(audit.Entry{Seq: 1, Action: audit.ReviewBegin, Object: "q", Outcome: audit.Intent})
		for i := range items {
			r.Add(audit.Entry{Seq: int64(i + 2), IntentSeq: 1, Action: audit.ReviewInclude, Object: "q", Outcome: audit.OK, Subject: of(i), Server: "s", Arguments: []byte(`{}`)})
		}
		r.Add(audit.Entry{Seq: items + 2, IntentSeq: 1, Action: audit.ReviewBegin, Object: "q", Outcome: audit.OK, Arguments: []byte(`{}`)})
		for i := range items {
			r.Add(audit.Entry{Seq: int64(items + 3 + i), Action: audit.ReviewDecide, Object: "q", Outcome: audit.OK, Decision: audit.Keep, Subject: of(i), Server: "s"})
		}
		if one := r.Reviews()[0]; one.Open() != 0 {
			b.Fatal(one.Open())
		}
	}
}

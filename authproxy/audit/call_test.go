package audit

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/policy"
)

func TestCallWritesBothEntries(t *testing.T) {
	t.Parallel()
	refused := errors.New("no such record")
	for name, c := range map[string]struct {
		result Result
		err    error
		want   Entry // of the outcome: what differs from the intent
	}{
		"done":          {Result{}, nil, Entry{Outcome: OK}},
		"with numbers":  {Result{Status: "200", Bytes: 7, Duration: 3 * time.Millisecond, Approval: "apr_2"}, nil, Entry{Outcome: OK, Status: "200", Bytes: 7, DurationMS: 3, Approval: "apr_2"}},
		"an error":      {Result{}, refused, Entry{Outcome: Failed, Reason: "no such record"}},
		"explained":     {Result{Reason: "not approved"}, refused, Entry{Outcome: Failed, Reason: "not approved"}},
		"outcome given": {Result{Outcome: Denied, Reason: "blocked"}, refused, Entry{Outcome: Denied, Reason: "blocked"}},
		"no error":      {Result{Outcome: Unknown}, nil, Entry{Outcome: Unknown}},
	} {
		l := newStore(t).open()
		e := Entry{Actor: actor.User("005A"), Action: ToolCall, Object: "deleteIt", Approval: "apr_1", Reason: "of the intent",
			Outcome: OK /* not the caller's to say */, Arguments: json.RawMessage(`{"a":1}`)}
		ctx, cancel := context.WithCancel(t.Context())
		err := l.Call(ctx, e, func(context.Context) (Result, error) {
			if got := list(t, l, Filter{}); len(got) != 1 || got[0].Outcome != Intent {
				t.Errorf("%s: while it is done, the log holds %+v", name, got)
			}
			cancel() // the client goes away meanwhile
			return c.result, c.err
		})
		if err != c.err {
			t.Errorf("%s: Call = %v", name, err)
		}
		intent, outcome := e, c.want
		intent.Seq, intent.At, intent.Outcome = 1, start, Intent
		outcome.Seq, outcome.At, outcome.IntentSeq = 2, start.Add(time.Second), 1
		outcome.Actor, outcome.Action, outcome.Object = e.Actor, e.Action, e.Object
		if outcome.Approval == "" {
			outcome.Approval = e.Approval
		}
		if diff := cmp.Diff([]Entry{intent, outcome}, list(t, l, Filter{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What is done may make entries of its own, which name the intent; the outcome says what only the end knows, and not what
// the intent has said.
func TestCallWithinKnowsItsEntries(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	e := Entry{Actor: actor.Operator("root", ""), Action: ReviewBegin, Object: "q", Arguments: json.RawMessage(`{"a":1}`)}
	for _, want := range []string{`{"b":2}`, ""} {
		var intent int64
		outcome, err := l.CallWithin(t.Context(), e, func(_ context.Context, seq int64) (Result, error) {
			intent = seq
			return Result{Arguments: json.RawMessage(want)}, nil
		})
		got := list(t, l, Filter{Limit: 2})
		if err != nil || intent != got[0].Seq || outcome != got[1].Seq || got[1].IntentSeq != intent || string(got[1].Arguments) != want || string(got[0].Arguments) != `{"a":1}` {
			t.Errorf("intent %d, outcome %d, %v: %+v", intent, outcome, err, got)
		}
	}
	if outcome, err := l.CallWithin(t.Context(), e, func(context.Context, int64) (Result, error) { s.vanish(); return Result{}, nil }); outcome != 0 || err != nil {
		t.Errorf("an outcome that is lost has the number %d, %v", outcome, err)
	}
}

// What ends by a panic is not done: of a write nobody knows.
func TestCallThatPanics(t *testing.T) {
	t.Parallel()
	for class, want := range map[policy.Class]Outcome{policy.Read: Failed, policy.Create: Unknown, "": Unknown} {
		l := newStore(t).open()
		func() {
			defer func() {
				if recover() != "broken" {
					t.Error("the panic was swallowed")
				}
			}()
			l.Call(t.Context(), Entry{Actor: actor.Proxy, Action: ToolCall, Class: string(class)}, func(context.Context) (Result, error) { panic("broken") })
		}()
		if got := list(t, l, Filter{}); len(got) != 2 || got[1].Outcome != want || got[1].IntentSeq != 1 {
			t.Errorf("class %q: %+v", class, got)
		}
	}
}

// Nothing is done that could not be recorded.
func TestCallWithoutIntent(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ctx := range map[string]context.Context{"ended": ended, "of nobody": t.Context()} {
		e := entry(ToolCall)
		if name == "of nobody" {
			e.Actor = actor.Actor{}
		}
		err := l.Call(ctx, e, func(context.Context) (Result, error) { t.Error("it was done"); return Result{}, nil })
		if !errors.Is(err, ErrNoIntent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := list(t, l, Filter{}); len(got) != 0 {
		t.Errorf("recorded: %+v", got)
	}
}

// A full disk changes nothing about what has happened, and is told of.
func TestCallWhoseOutcomeIsLost(t *testing.T) {
	t.Parallel()
	for _, class := range []string{classRead, "create"} {
		s := newStore(t)
		l := s.open()
		var log strings.Builder
		l.config.Log = slog.New(slog.NewTextHandler(&log, nil))
		e := entry(ToolCall)
		e.Class = class
		err := l.Call(t.Context(), e, func(context.Context) (Result, error) {
			s.vanish()
			return Result{}, nil
		})
		l.Flush()
		if err != nil || !strings.Contains(log.String(), "audit entry is lost") || !strings.Contains(log.String(), "intent=1") {
			t.Errorf("%s: %v, log %q", class, err, log.String())
		}
	}
}

// Whoever waits for a write finds its outcome on disk; a read's may come a little later.
func TestCallOfAReadDoesNotWait(t *testing.T) {
	t.Parallel()
	if classRead != string(policy.Read) {
		t.Errorf("a read's class is %q", policy.Read)
	}
	s := newStore(t)
	l, other := s.open(), s.open()
	e := entry(ToolCall)
	e.Class = string(policy.Delete)
	if err := l.Call(t.Context(), e, func(context.Context) (Result, error) { return Result{}, nil }); err != nil {
		t.Fatal(err)
	}
	if got := list(t, other, Filter{}); len(got) != 2 {
		t.Errorf("of a write another process finds %d entries", len(got))
	}
	e.Class = classRead
	if err := l.Call(t.Context(), e, func(context.Context) (Result, error) { return Result{}, nil }); err != nil {
		t.Fatal(err)
	}
	if got := list(t, l, Filter{}); len(got) != 4 || got[3].IntentSeq != 3 {
		t.Errorf("of a read: %+v", got)
	}
}

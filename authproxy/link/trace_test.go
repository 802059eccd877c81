package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// traced is how many of the last steps of a user's login are kept.
const traced = 60

// trace keeps what replicas did with each user's login, to be printed where one is lost.
type trace struct {
	begin time.Time

	mu    sync.Mutex
	steps map[string][]string // by subject
	lost  []string
}

func newTrace() *trace { return &trace{begin: time.Now(), steps: map[string][]string{}} }

// note adds a step. Without a subject it is one of every login.
func (t *trace) note(subject, format string, args ...any) {
	step := fmt.Sprintf("%9.3f ", time.Since(t.begin).Seconds()) + fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	steps := append(t.steps[subject], step)
	t.steps[subject] = steps[max(len(steps)-traced, 0):]
}

// otherwise keeps the steps of a login that was lost although no answer was.
func (t *trace) otherwise(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = append(t.lost, fmt.Sprintf("%s was lost without a lost answer:\n%s\ncuts:\n%s",
		subject, strings.Join(t.steps[subject], "\n"), strings.Join(t.steps[""], "\n")))
}

// print shows what otherwise kept.
func (t *trace) print(b *testing.B) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, lost := range t.lost {
		b.Log(lost)
	}
}

// tracedLog is the log of one replica.
type tracedLog struct {
	*trace
	replica int
}

func (tracedLog) Enabled(context.Context, slog.Level) bool { return true }

func (l tracedLog) Handle(_ context.Context, r slog.Record) error {
	subject, text := "", r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "subject":
			subject = a.Value.String()
		case "org":
		default:
			text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	if subject != "" {
		l.note(subject, "replica %d: %s", l.replica, text)
	}
	return nil
}

func (l tracedLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l tracedLog) WithGroup(string) slog.Handler      { return l }

// tracedSalesforce notes what a replica sends.
type tracedSalesforce struct {
	link.Salesforce
	*lossy
	replica int
}

func (s tracedSalesforce) Refresh(ctx context.Context, org, token string) (*salesforce.Token, error) {
	subject := s.owner(token)
	s.note(subject, "replica %d: begins to send …%s", s.replica, last(token))
	t, err := s.Salesforce.Refresh(ctx, org, token)
	if err != nil {
		s.note(subject, "replica %d: is answered %v", s.replica, err)
		return t, err
	}
	s.own(t.RefreshToken, subject)
	s.note(subject, "replica %d: is answered …%s", s.replica, last(t.RefreshToken))
	return t, nil
}

// last is how steps name a token.
func last(token string) string { return token[max(len(token)-6, 0):] }

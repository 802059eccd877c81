//go:build !race

package audit

import (
	"context"
	"strings"
	"testing"
)

// An entry may allocate so often until it is queued, and this often more until it is
// stored with others: what it did when this was written, and a little.
const (
	entryAllocs  = 9
	appendAllocs = 154
)

func TestAllocations(t *testing.T) {
	l := newStore(t).open()
	e := typical()
	appendAll(t, l, e)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := (writing{l}).encoded(t.Context(), accepted(t.Context(), e), nil); err != nil {
			t.Error(err)
		}
	}); got > entryAllocs {
		t.Errorf("an entry allocates %v times, at most %d are agreed on", got, entryAllocs)
	}
	if got := testing.AllocsPerRun(100, func() { appendAll(t, l, e) }); got > appendAllocs {
		t.Errorf("to append one entry alone allocates %v times, at most %d are agreed on", got, appendAllocs)
	}
}

func BenchmarkEntry(b *testing.B) {
	l := newStore(b).open()
	e := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (writing{l}).encoded(b.Context(), accepted(b.Context(), e), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall is both entries of a read, by many callers at the same time.
func BenchmarkCall(b *testing.B) {
	l := newStore(b).open()
	e := typical()
	digest := strings.Repeat("0123456789abcdef", 4)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Call(b.Context(), e, func(context.Context) (Result, error) {
				return Result{Status: "200", Bytes: 1024, AnswerDigest: digest}, nil
			}); err != nil {
				b.Error(err)
			}
		}
	})
}

package logfile

import (
	"math"
	"strings"
	"testing"
)

// silent hears and keeps nothing.
type silent struct{}

func (silent) Begin(Head) error { return nil }
func (silent) Record(Record)    {}
func (silent) State() string    { return "-" }

func BenchmarkAppend(b *testing.B) {
	record := []byte(`{"text":"` + strings.Repeat("x", 690) + `"}`)
	for _, c := range []struct {
		name             string
		group, roomAfter int
	}{{"1 a group", 1, 0}, {"1 a group, without room", 1, math.MaxInt}, {"16 a group", 16, 0}, {"16 a group, without room", 16, math.MaxInt}} {
		group := c.group
		b.Run(c.name, func(b *testing.B) {
			l, err := Open(Config{Dir: b.TempDir(), Origin: "a", Follower: silent{}, RoomAfter: c.roomAfter})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(func(g *Group) {
					for range group {
						g.Add(record)
					}
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(group)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(Config{Dir: dir, Origin: "a", Follower: silent{}})
	if err != nil {
		b.Fatal(err)
	}
	record := []byte(`{"text":"` + strings.Repeat("x", 690) + `"}`)
	const groups, each = 200, 100
	for range groups {
		if err := l.Append(func(g *Group) {
			for range each {
				g.Add(record)
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := Scan(dir, 1, func(Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(groups*each)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

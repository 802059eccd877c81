package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What an entry names of an answer comes back as it was said, and 0 rows are not the same as
// rows that nobody counted.
func TestU5RecordsAreStored(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	said := []Entry{entry(ToolCall), entry(ToolCall), entry(ToolCall)}
	said[0].Rows, said[0].AnswerDigest = new(int64(0)), digest([]byte("{}"))
	said[1].Rows, said[1].RecordsTotal = new(int64(2)), 3
	said[1].Records = []Records{
		{Class: "read", Object: "Account", IDs: []string{"001xx0000000001AAA", "001xx0000000002"}},
		{Class: "create", IDs: []string{"003xx0000000001AAA"}},
	}
	appendAll(t, l, said...)
	for i, e := range list(t, l, Filter{}) {
		said[i].Seq, said[i].At = e.Seq, e.At
		if diff := cmp.Diff(said[i], e); diff != "" {
			t.Errorf("entry %d: %s", i+1, diff)
		}
	}
}

// Whatever an answer calls an id, an entry names few of them, and only what can be one.
func TestU5RecordsAreBounded(t *testing.T) {
	t.Parallel()
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("001xx%010d", i)
	}
	before := slices.Clone(many)
	for name, c := range map[string]struct {
		given, want []Records
	}{
		"nothing":      {nil, nil},
		"no ids":       {[]Records{{Class: "read", IDs: []string{"", "001", "001xx0000000001!", strings.Repeat("a", 1<<20), "001xx000000000\"", "００１xx"}}}, nil},
		"many":         {[]Records{{Class: "read", IDs: many}}, []Records{{Class: "read", IDs: before[:MaxRecords]}}},
		"many groups":  {[]Records{{Class: "read", IDs: many[:15]}, {Class: "update", IDs: many[15:]}, {Class: "delete", IDs: many}}, []Records{{Class: "read", IDs: before[:15]}, {Class: "update", IDs: before[15:20]}}},
		"a credential": {[]Records{{Class: "read", Object: "Bearer abcdefgh", IDs: many[:1]}}, []Records{{Class: "read", Object: Redact("Bearer abcdefgh"), IDs: before[:1]}}},
	} {
		e := entry(ToolCall)
		e.Records = c.given
		e.normalise()
		if diff := cmp.Diff(c.want, e.Records); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if !slices.Equal(many, before) {
		t.Error("the caller's ids were changed")
	}
}

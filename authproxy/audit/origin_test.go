package audit

import (
	"context"
	"testing"
)

func TestOriginFillsWhatAnEntryLeavesOpen(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	ctx := WithOrigin(context.Background(), Origin{RequestID: "r1", Source: "192.0.2.7"})
	elsewhere := entry("tool.call")
	elsewhere.Source = "elsewhere"
	for _, e := range []Entry{entry("tool.call"), elsewhere} {
		if _, err := l.Append(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	got := list(t, l, Filter{})
	if len(got) != 2 || got[0].RequestID != "r1" || got[0].Source != "192.0.2.7" || got[1].Source != "elsewhere" {
		t.Errorf("stored %+v", got)
	}
}

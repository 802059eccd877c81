package audit

import (
	"context"

	"sfmcp-proxy/authproxy/audit/postings"
)

// waiting is one entry on its way.
type waiting struct {
	entry Entry
	tail  []byte          // its stored form, but for number and time
	terms []postings.Term // it can be found by
	same  [2]int          // where in tail is what [encodeSame] wrote; the same twice: nobody knows
	err   error
	// turn tells a queued caller to go on: true, it leads the next group; false, its
	// entry was written, or err says why not. nil: nobody waits.
	turn chan bool
	lost func(error) // hears of the error if nobody waits
}

// accepted is e as it may be stored, from where ctx says that it comes.
func accepted(ctx context.Context, e Entry) Entry {
	e = e.from(OriginOf(ctx))
	e.normalise()
	return e
}

// isLike reports whether the entry of an outcome has what its intent, which is w, can be found by,
// but for the outcome. A person may have been erased in between.
func (w *waiting) isLike(ended *waiting) bool {
	a, b := &w.entry, &ended.entry
	return a.Object == b.Object && a.Approval == b.Approval && a.Subject == b.Subject && a.Username == b.Username && a.Actor == b.Actor
}

// encode writes the stored form. same is what [encodeSame] would write; empty: it has to.
func (w *waiting) encode(same []byte) {
	e := &w.entry
	b := make([]byte, 0, 768+len(e.Reason)+len(e.Arguments)+len(e.Sealed))
	b = encodeBegin(b, e)
	from := len(b)
	if len(same) > 0 {
		b = append(b, same...)
	} else {
		b = encodeSame(b, e)
	}
	to := len(b)
	if w.tail = encodeRest(b, e); len(w.tail) > 0 && isVisible(w.tail) {
		w.same = [2]int{from, to}
		return
	}
	w.tail = Visible(w.tail)
}

// cutOff is the entry that says what a crash left and nobody was told of.
func cutOff(bytes int64) *waiting {
	return ownEntry(Entry{Action: LogCut, Bytes: bytes, Reason: "a process died while it wrote the log: what it had begun and told nobody of was cut off"})
}

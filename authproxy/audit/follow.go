package audit

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/postings"
	"sfmcp-proxy/authproxy/audit/tree"
)

// follower hears of every record of the log. It keeps the right edge of the tree over all of
// them, from which checkpoints are made, and the index of the segment that is being written.
type follower struct {
	signing signing
	indexes *indexes
	halted  *halt
	log     *slog.Logger

	mu       sync.RWMutex
	group    []*waiting   // what this process is writing: entries that need not be decoded
	head     logfile.Head // of the last segment; zero: there is none
	edge     tree.Frontier
	index    *postings.Builder // of the last segment
	last     time.Time         // of the last entry, as far as it says
	begun    string            // name of the log if this process begins it
	appended bool              // this process has written something
	acted    bool              // by which something is different, see [Action.Acts]
	compared bool              // what comes now was not there when the log was compared with its checkpoints
	stored   int64             // size of the tree in the checkpoint that was stored last
	due      chan struct{}     // told when enough was appended for another checkpoint, and when nothing could be
}

// segmentState is what the first line of a segment keeps of all entries before it: the signed
// checkpoint of them, and the right edge of the tree, from which the checkpoint follows.
type segmentState struct {
	checkpoint []byte
	edge       tree.Frontier
}

func (s segmentState) String() string {
	edge, err := s.edge.MarshalText()
	if err != nil {
		panic(fmt.Sprintf("audit: the edge of a tree that does not encode: %v", err)) // there is none
	}
	return base64.StdEncoding.EncodeToString(s.checkpoint) + " " + string(edge)
}

func parseSegmentState(text string) (s segmentState, err error) {
	checkpoint, edge, _ := strings.Cut(text, " ")
	if s.checkpoint, err = base64.StdEncoding.Strict().DecodeString(checkpoint); err != nil {
		return s, fmt.Errorf("reading the checkpoint of a segment: %w", err)
	}
	if err := s.edge.UnmarshalText([]byte(edge)); err != nil {
		return s, fmt.Errorf("reading the state of a segment: %w", err)
	}
	return s, nil
}

// State is the [segmentState] of all records so far.
func (f *follower) State() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	checkpoint, err := f.signing.sign(f.origin(), &f.edge)
	if err != nil { // the ring has a key, or it would not have opened: the segment is refused by Begin
		f.log.Error("signing the checkpoint of a segment", "error", err)
	}
	return segmentState{checkpoint, f.edge}.String()
}

// Begin starts with a segment. Its first line must fit what was heard before.
func (f *follower) Begin(h logfile.Head) error {
	s, err := parseSegmentState(h.State)
	if err != nil {
		return &Broken{h.First, "the first line of its segment was changed"}
	}
	if err := f.signing.checkState(h.Origin, s); err != nil {
		return &Broken{h.First, "the first line of its segment is not signed by a key of the key file: " + err.Error()}
	}
	if s.edge.Size() != h.First-1 {
		return &Broken{h.First, fmt.Sprintf("the first line of its segment is of a log of %d entries", s.edge.Size())}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != nil {
		if f.edge != s.edge {
			return &Broken{h.First, "the first line of its segment does not fit the entries before it"}
		}
		f.indexes.storeLater(f.head.First, f.index)
	}
	f.head, f.edge, f.index = h, s.edge, postings.NewBuilder(h.First)
	return nil
}

// Record adds a record to the tree and the index.
func (f *follower) Record(r logfile.Record) {
	w, own := f.own(r)
	if !own {
		f.meet(r)
		w = new(waiting)
		// What does not decode cannot be found by its content, and is found by number.
		_ = json.Unmarshal(r.Text, &w.entry)
		w.terms = termsOf(&w.entry)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.edge.Append(r.Text)
	if !w.entry.At.IsZero() {
		f.last = w.entry.At
	}
	f.appended = f.appended || own
	f.acted = f.acted || own && w.entry.Action.Acts()
	if f.edge.Size()-f.stored >= checkpointAfter {
		f.hurry()
	}
	if err := addToIndex(f.index, r, &w.entry, w.terms); err != nil {
		f.log.Error("an entry cannot be found by its content", "error", err)
	}
}

// meet looks whether somebody with the keys wrote a record that this process did not, once it is known that those before it are
// what they were ([checkpoints.agree]). Else it appends nothing more.
func (f *follower) meet(r logfile.Record) {
	f.mu.RLock()
	compared, origin := f.compared, f.origin()
	f.mu.RUnlock()
	if compared && !f.signing.vouches(origin, r.Seq, r.Text) {
		f.halted.set(unvouched(r.Seq))
	}
}

// compares notes that the log is what its checkpoints say, so far.
func (f *follower) compares() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compared = true
}

// indexOf is the index of the segment that is being written, if that is the one which begins
// with number first; otherwise nil.
func (f *follower) indexOf(first int64) *postings.Builder {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.index == nil || f.head.First != first {
		return nil
	}
	return f.index
}

// own is the entry that a record is of, if this process is writing it. Another process may have
// written one with its number before.
func (f *follower) own(r logfile.Record) (*waiting, bool) {
	f.mu.RLock()
	group := f.group // whoever catches up may do so while the writer, who has the log no more, forgets it
	f.mu.RUnlock()
	if len(group) == 0 {
		return nil, false
	}
	i := r.Seq - group[0].entry.Seq
	if group[0].entry.Seq == 0 || i < 0 || i >= int64(len(group)) {
		return nil, false
	}
	tail := group[i].tail
	text, _, ok := cutMAC(r.Text)
	return group[i], ok && bytes.HasSuffix(text, tail[:len(tail)-1])
}

// writes notes what this process is writing from now on, and returns what it was writing.
func (f *follower) writes(group []*waiting) (before []*waiting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.group = f.group, group
	return before
}

// origin is the log's name. It is called with mu held.
func (f *follower) origin() string { return cmp.Or(f.head.Origin, f.begun) }

// size is how many entries the log has, as far as this process has heard.
func (f *follower) size() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.edge.Size()
}

// now is the edge of the tree, and the log's name.
func (f *follower) now() (edge tree.Frontier, origin string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.edge, f.origin()
}

// hurry tells whoever keeps the log up that there is something to do.
func (f *follower) hurry() {
	select {
	case f.due <- struct{}{}:
	default: // it was told
	}
}

// lastTime is that of the last entry; zero: there is none.
func (f *follower) lastTime() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.last
}

// hasAppended says whether this process has written to the log.
func (f *follower) hasAppended() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.appended
}

// hasActed says whether it has written that something is different.
func (f *follower) hasActed() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.acted
}

// storedSize is the size of the tree in the checkpoint that this process stored last.
func (f *follower) storedSize() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.stored
}

func (f *follower) setStored(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = size
}

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

// Broken says where the log stops being what was written.
type Broken struct {
	Seq int64  // first entry that is wrong or missing, or before which nothing can be told
	Why string // one clause
}

func (b *Broken) Error() string {
	return fmt.Sprintf("audit log is broken at entry %d: %s", b.Seq, b.Why)
}

// Verified is what a verification has seen.
type Verified struct {
	Origin      string
	First, Last int64 // entries; First is above 1 where older ones were pruned
	Checkpoints int   // signed checkpoints that fit
}

// Verify reads the whole log and compares it with the checkpoint of each of its segments and
// with those of every place that can be reached. The error is a [*Broken] if the log was
// changed, a [*Disagreement] if a checkpoint says something else, anything else if it could not be
// read. Entries that are appended meanwhile do no harm.
func (l *Log) Verify(ctx context.Context) (Verified, error) {
	l.catchUp()
	_, origin := l.follow.now()
	keys, err := l.checkpoints.verifiers(origin)
	if err != nil {
		return Verified{}, err
	}
	v := verification{keys: keys}
	var unread error
	if err := l.checkpoints.lock.With(func() error {
		v.signed, unread = l.checkpoints.all(ctx)
		return nil
	}); err != nil {
		return Verified{}, err
	}
	seen, err := v.run(ctx, l.config.Dir)
	if err != nil {
		return seen, err
	}
	if err := errors.Join(l.Agree(ctx), unread); err != nil {
		return seen, err
	}
	return seen, nil
}

// VerifyFiles verifies the log in dir by its public key alone, or after rotations by several of
// them, one a line: with the checkpoints of its segments, the newest one beside them, and signed,
// which somebody kept elsewhere. It needs no database and no secret. The errors are those of
// [Log.Verify].
func VerifyFiles(ctx context.Context, dir, key string, signed ...[]byte) (Verified, error) {
	var v verification
	for line := range strings.SplitSeq(strings.TrimSpace(key), "\n") {
		verifier, err := note.NewVerifier(strings.TrimSpace(line))
		if err == nil && len(v.keys) > 0 && verifier.Name() != v.keys[0].Name() {
			err = errors.New("it is of another log than the one before it")
		}
		if err != nil {
			return Verified{}, fmt.Errorf("reading the public key: %w; expected what `sfmcp-proxy audit key` printed", err)
		}
		v.keys = append(v.keys, verifier)
	}
	beside, err := readCheckpoint(dir + "/" + checkpointFile)
	if err != nil {
		return Verified{}, err
	}
	if beside != nil {
		v.signed = append(v.signed, namedCheckpoint{"the checkpoint beside it", beside})
	}
	for i, text := range signed {
		v.signed = append(v.signed, namedCheckpoint{fmt.Sprintf("checkpoint %d", i+1), text})
	}
	if len(v.signed) == 0 {
		return Verified{}, &Broken{1, "there is no checkpoint to compare it with"}
	}
	return v.run(ctx, dir)
}

// namedCheckpoint is a signed checkpoint and where it is from.
type namedCheckpoint struct {
	name   string
	signed []byte
}

// verification is one pass over a log.
type verification struct {
	keys   []note.Verifier
	signed []namedCheckpoint

	want map[int64][]parsedCheckpoint // by size
	edge tree.Frontier
	fits int64 // entries up to here fit a checkpoint
	said bool  // an entry says that the first entries were removed
	seen Verified
}

type parsedCheckpoint struct {
	name string
	tree.Checkpoint
}

func (v *verification) run(ctx context.Context, dir string) (Verified, error) {
	v.want = map[int64][]parsedCheckpoint{}
	for _, c := range v.signed {
		if err := v.expect(c); err != nil {
			return v.seen, err
		}
	}
	segments, err := logfile.Segments(dir)
	if err != nil {
		return v.seen, err
	}
	for i, s := range segments {
		if err := errors.Join(ctx.Err(), v.segment(s, i == 0, i+1 == len(segments))); err != nil {
			return v.seen, err
		}
	}
	if v.seen.First > 1 && !v.said {
		return v.seen, &Broken{1, fmt.Sprintf("it and what follows, up to entry %d, are gone, and no entry says that they were removed by age", v.seen.First-1)}
	}
	for size, of := range v.want {
		if size > v.edge.Size() {
			return v.seen, &Broken{v.edge.Size() + 1, fmt.Sprintf("it and what follows, up to entry %d, are gone, or as many before: %s has them", size, of[0].name)}
		}
	}
	return v.seen, nil
}

// expect notes a checkpoint to compare with.
func (v *verification) expect(c namedCheckpoint) error {
	parsed, err := tree.ParseCheckpoint(c.signed, v.keys...)
	if err != nil {
		return &Disagreement{Place: c.name, Why: "its checkpoint is not one of this log and key: " + err.Error()}
	}
	v.want[parsed.Size] = append(v.want[parsed.Size], parsedCheckpoint{c.name, parsed})
	return nil
}

// segment verifies one file of the log.
func (v *verification) segment(s logfile.Segment, first, last bool) error {
	if err := v.begin(s, first); err != nil {
		return err
	}
	_, err := logfile.ScanSegment(s, func(r logfile.Record) error {
		if !isNumbered(r.Text, r.Seq) {
			return &Broken{r.Seq, "its number is another one"}
		}
		v.edge.Append(r.Text)
		v.said = v.said || v.seen.First > 1 && saysPruned(r.Text, v.seen.First-1)
		v.seen.Last = r.Seq
		return v.compare()
	})
	var damage *logfile.Damage
	if errors.As(err, &damage) {
		if damage.Last && last {
			return nil // a write under way, or a crash: what is missing, a checkpoint tells
		}
		return &Broken{damage.Seq, damage.Why}
	}
	return err
}

// begin verifies the first line of a segment.
func (v *verification) begin(s logfile.Segment, first bool) error {
	head, err := logfile.ReadHead(s)
	if err != nil {
		return &Broken{s.First, err.Error()}
	}
	state, err := parseSegmentState(head.State)
	if err != nil {
		return &Broken{s.First, "the first line of its segment was changed"}
	}
	if first { // what was before was pruned, and its checkpoint tells what it was
		v.edge, v.seen.Origin, v.seen.First = state.edge, head.Origin, head.First
	}
	switch {
	case head.Origin != v.seen.Origin || head.Origin != v.keys[0].Name():
		return &Broken{s.First, "its segment is of another log, " + head.Origin}
	case s.First != v.edge.Size()+1:
		return &Broken{v.edge.Size() + 1, fmt.Sprintf("it is missing: the next segment begins with entry %d", s.First)}
	case state.edge != v.edge:
		return v.changed("the first line of the next segment")
	}
	if err := v.expect(namedCheckpoint{"the checkpoint in the first line of the next segment", state.checkpoint}); err != nil {
		return &Broken{s.First, "the checkpoint in the first line of its segment was changed, or signed by another key"}
	}
	return v.compare()
}

// compare compares the tree with the checkpoints of its size.
func (v *verification) compare() error {
	of, known := v.want[v.edge.Size()]
	if !known {
		return nil
	}
	for _, c := range of {
		if c.Root != v.edge.Root() {
			return v.changed(c.name)
		}
		v.seen.Checkpoints++
	}
	v.fits = v.edge.Size()
	delete(v.want, v.fits)
	return nil
}

// changed is that the entries since the last checkpoint that fits are not those of the next.
func (v *verification) changed(by string) *Broken {
	return &Broken{v.fits + 1, fmt.Sprintf("it, or one up to entry %d, was changed: they do not fit %s", v.edge.Size(), by)}
}

// saysPruned says whether an entry tells of the removal of all entries up to a number.
func saysPruned(text []byte, last int64) bool {
	return bytes.Contains(text, []byte(`"action":"`+string(LogPrune)+`"`)) && bytes.Contains(text, fmt.Appendf(nil, ` to %d","outcome":`, last))
}

// isNumbered says whether an entry's text begins with its number.
func isNumbered(text []byte, seq int64) bool {
	var want [32]byte
	prefix := append(strconv.AppendInt(append(want[:0], `{"seq":`...), seq, 10), ',')
	return bytes.HasPrefix(text, prefix)
}

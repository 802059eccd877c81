package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

// Broken says where the log stops being what was written.
//
// How near it can tell depends on what was done. An entry that is missing, or stands where
// another one should, and a group that does not fit its checksum are named themselves. Of
// entries that were written anew, with numbers and checksums that fit, only the tree knows: then
// the tiles of its hashes say which one is the first, as far as they are there and fit their
// own checkpoint; without them it is known that all entries up to a checkpoint are sound, and
// Seq is the one behind it. There is a checkpoint in the first line of each segment, and wherever
// one was kept. A first line that was changed is told as its first entry. Why says so if an
// entry before Seq may be wrong too, because no checkpoint tells of it.
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
	Signed      int64 // last entry that a checkpoint covers: what follows was not signed yet
	Checkpoints int   // signed checkpoints that fit
	Observed    int   // what other logs say of it and fits
	// Back is where the clock went back by more than a minute.
	Back WentBack
	// Lost are people whose keys the database lacks; see [Log.Verify].
	Lost LostKeys
	// Torn is how many bytes stand behind the last whole group: of a log that is being written, or what a
	// crash or a cut has left. They are no entries.
	Torn int64

	// Before is what an earlier verification has seen and this one has not read again; its zero value: nothing.
	Before Earlier
}

// Verify reads the whole log and compares it with the checkpoint of each of its segments and
// with those of every place on this machine that can be reached. The error is a [*Broken] if the log was
// changed, a [*Disagreement] if a checkpoint says something else, anything else if it could not be
// read. Whether the keys are there of the people whom entries are about is in [Verified].Lost. Entries that are appended meanwhile do no harm. What was verified is kept for
// [Log.VerifyNew].
func (l *Log) Verify(ctx context.Context) (Verified, error) { return verifying{l}.run(ctx, Earlier{}) }

func (l verifying) run(ctx context.Context, before Earlier) (Verified, error) {
	reading{l.Log}.catchUp()
	_, origin := l.follow.now()
	keys, err := l.checkpoints.verifiers(origin)
	if err != nil {
		return Verified{}, err
	}
	keyed := &keyLook{log: l.Log, of: map[string]*keySeen{}}
	v := verification{keys: keys, before: before, each: func(r logfile.Record) error { return keyed.look(ctx, r) }}
	if before.Size > 0 {
		v.signed = append(v.signed, namedCheckpoint{"what was verified before", before.Checkpoint})
	}
	var unread error
	if err := l.checkpoints.lock.With(func() error {
		var here []namedCheckpoint
		here, unread = l.checkpoints.all(ctx)
		v.signed = append(v.signed, here...)
		return nil
	}); err != nil {
		return Verified{}, err
	}
	segments, err := l.stored.segments()
	if err != nil {
		return Verified{}, err
	}
	seen, err := v.run(ctx, segments, l.tiles.dir)
	if err == nil {
		seen.Lost, err = keyed.end(ctx, seen.First <= 1 && before.Size == 0)
	}
	if err != nil {
		return seen, err
	}
	if err := errors.Join(l.Agree(ctx), unread); err != nil {
		return seen, err
	}
	return seen, l.keep(ctx, seen)
}

// VerifyFiles verifies the log in dir by its public key alone, or after rotations by several of
// them, one a line: with the checkpoints of its segments, the newest one beside them, and signed,
// which somebody kept elsewhere. It needs no database and no secret. The errors are those of
// [Log.Verify].
func VerifyFiles(ctx context.Context, dir, key string, signed ...[]byte) (Verified, error) {
	v, err := verificationOf(dir, strings.Split(strings.TrimSpace(key), "\n"))
	if err != nil {
		return Verified{}, err
	}
	for i, text := range signed {
		v.signed = append(v.signed, namedCheckpoint{fmt.Sprintf("checkpoint %d", i+1), text})
	}
	if len(v.signed) == 0 {
		return Verified{}, &Broken{1, "there is no checkpoint to compare it with"}
	}
	return v.runFiles(ctx, dir)
}

// verificationOf prepares one of the log in dir by its public keys, with the checkpoint beside it.
func verificationOf(dir string, keys []string) (*verification, error) {
	verifiers, err := parseVerifiers(keys)
	for _, verifier := range verifiers {
		if err == nil && verifier.Name() != verifiers[0].Name() {
			err = errors.New("one is of another log than the one before it")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w; expected what `sfmcp-proxy audit key` printed", err)
	}
	v := &verification{keys: verifiers}
	beside, err := readCheckpoint(dir + "/" + checkpointFile)
	if beside != nil {
		v.signed = append(v.signed, namedCheckpoint{"the checkpoint beside it", beside})
	}
	return v, err
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
	// expected is what others say, without a signature of this log.
	expected []parsedCheckpoint
	before   Earlier                    // what need not be read
	each     func(logfile.Record) error // is called with every record besides; nil: nothing is

	want map[int64][]parsedCheckpoint // by size
	edge tree.Frontier
	fits int64     // entries up to here fit a checkpoint
	said bool      // an entry says that the first entries were removed
	last time.Time // of the entry before
	torn bool      // the log ends with a group that is not whole
	seen Verified
}

type parsedCheckpoint struct {
	name string
	tree.Checkpoint
	unsigned bool // another log says so
}

// runFiles verifies the log that is a directory.
func (v *verification) runFiles(ctx context.Context, dir string) (Verified, error) {
	segments, err := logfile.Segments(dir)
	if err != nil {
		return Verified{}, err
	}
	return v.run(ctx, segments, filepath.Join(dir, tilesDirectory))
}

// run verifies a log of these segments. The tiles of its hashes, if there are any, are in a directory.
func (v *verification) run(ctx context.Context, all []logfile.Segment, tiles string) (Verified, error) {
	v.want = map[int64][]parsedCheckpoint{}
	for _, c := range v.signed {
		if err := v.expect(c); err != nil {
			return v.seen, err
		}
	}
	for _, c := range v.expected {
		v.want[c.Size] = append(v.want[c.Size], c)
	}
	segments := v.before.unread(all)
	for i, s := range segments {
		if err := ctx.Err(); err != nil {
			return v.seen, err
		}
		if err := v.segment(s, i == 0, i+1 == len(segments)); err != nil {
			return v.seen, v.nearer(all, tiles, err)
		}
	}
	if v.seen.Before = v.before; v.seen.First > 1 && !v.said && v.before.Size == 0 {
		return v.seen, &Broken{1, fmt.Sprintf("it and what follows, up to entry %d, are gone, and no entry says that they were removed by age", v.seen.First-1)}
	}
	if size := slices.Max(append(slices.Collect(maps.Keys(v.want)), 0)); size > v.edge.Size() {
		gone := &Broken{v.edge.Size() + 1, fmt.Sprintf("it and what follows, up to entry %d, are gone: %s has them", size, v.want[size][0].name)}
		if v.torn {
			gone.Why = "a group is not whole; " + gone.Why
			return v.seen, v.nearer(all, tiles, gone)
		}
		return v.seen, v.nearer(all, tiles, v.unsound(gone))
	}
	v.seen.Signed = v.fits
	return v.seen, nil
}

// expect notes a checkpoint to compare with.
func (v *verification) expect(c namedCheckpoint) error {
	parsed, err := tree.ParseCheckpoint(c.signed, v.keys...)
	if err != nil {
		return &Disagreement{Place: c.name, Why: "its checkpoint is not one of this log and key: " + err.Error()}
	}
	v.want[parsed.Size] = append(v.want[parsed.Size], parsedCheckpoint{name: c.name, Checkpoint: parsed})
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
		v.look(r)
		if v.each != nil {
			if err := v.each(r); err != nil {
				return err
			}
		}
		v.said = v.said || v.seen.First > 1 && saysPruned(r.Text, v.seen.First-1)
		v.seen.Last = r.Seq
		return v.compare()
	})
	var damage *logfile.Damage
	if errors.As(err, &damage) {
		if damage.Last && last { // a write under way, or a crash: what is missing, a checkpoint tells
			v.torn, v.seen.Torn = true, damage.Torn
			return nil
		}
		return &Broken{damage.Seq, damage.Why}
	}
	return err
}

// begin verifies the first line of a segment: the log's name, and that what the line says of
// all entries before it fits its checkpoint and these entries.
func (v *verification) begin(s logfile.Segment, first bool) error {
	next := v.edge.Size() + 1
	switch {
	case !first && s.First > next:
		return v.unsound(&Broken{next, fmt.Sprintf("it is missing: the next segment begins with entry %d", s.First)})
	case !first && s.First < next:
		return v.unsound(&Broken{s.First, fmt.Sprintf("it is there twice: a segment begins with it, and the one before goes on to entry %d", next-1)})
	}
	head, err := logfile.ReadHead(s)
	if errors.Is(err, logfile.ErrUnread) {
		return err
	}
	if err != nil {
		return &Broken{s.First, err.Error()}
	}
	if first { // what was before was pruned, and its checkpoint tells what it was
		v.seen.Origin, v.seen.First = head.Origin, head.First
	}
	if head.Origin != v.seen.Origin || head.Origin != v.keys[0].Name() {
		return &Broken{s.First, "its segment is of another log, " + head.Origin}
	}
	state, err := parseSegmentState(head.State)
	if err != nil {
		return &Broken{s.First, "the first line of its segment was changed"}
	}
	c, err := tree.ParseCheckpoint(state.checkpoint, v.keys...)
	if err != nil || c.Size != s.First-1 {
		return &Broken{s.First, "the checkpoint in the first line of its segment was changed, or signed by another key"}
	}
	if first {
		v.edge = state.edge
	}
	switch {
	case first && (v.edge.Size() != c.Size || v.edge.Root() != c.Root):
		return &Broken{s.First, "the first line of its segment was changed: it does not fit its checkpoint"}
	case v.edge.Root() != c.Root:
		return v.changed("the checkpoint in the first line of the next segment")
	case v.edge != state.edge:
		return &Broken{s.First, "the first line of its segment was changed: it does not fit the entries before it"}
	}
	v.seen.Checkpoints++
	v.fits = c.Size
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
		if c.unsigned {
			v.seen.Observed++
			continue
		}
		v.seen.Checkpoints++
		v.fits = v.edge.Size()
	}
	delete(v.want, v.edge.Size())
	return nil
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

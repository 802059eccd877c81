package roster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/logfile"
)

// unlisted is how much later than the first entry of a log another one must have looked at the
// roster, and not seen it, for it to be unknown: it may have been entered since, and clocks differ.
const unlisted = 15 * time.Minute

// Copy is what a verification found of one log.
type Copy struct {
	Dir      string
	Origin   string
	Verified audit.Verified
	Err      error // as [audit.VerifyFiles] returns it

	begun    time.Time // when it was entered into the roster, as far as it says; else of its first entry
	sighted  []sighted
	expected []audit.Expected
}

// sighted is one look of a log at the roster.
type sighted struct {
	seq  int64
	at   time.Time
	last bool // part of the look
	Sighting
}

// Together is what a verification found of several logs.
type Together struct {
	Copies []Copy
	// Findings are about logs that are missing, used after they were closed, unknown to the
	// others, or there twice; one clause each.
	Findings []string
}

// VerifyTogether verifies the logs in several directories by their public keys, one a line of
// keys, and each against what all of them say of it. It needs no database and no secret. An error is
// about what could not be read at all.
func VerifyTogether(ctx context.Context, dirs []string, keys string) (t Together, err error) {
	byOrigin := map[string][]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(keys), "\n") {
		origin, _, _ := strings.Cut(strings.TrimSpace(line), "+")
		byOrigin[origin] = append(byOrigin[origin], line)
	}
	at := map[string]int{} // in t.Copies, by origin
	for _, dir := range dirs {
		c := Copy{Dir: dir}
		if err := c.read(ctx); err != nil {
			return t, err
		}
		if _, twice := at[c.Origin]; twice {
			t.Findings = append(t.Findings, fmt.Sprintf("%s and %s are both of the log %s: one of them stands where another log should", t.Copies[at[c.Origin]].Dir, dir, c.Origin))
		}
		at[c.Origin] = len(t.Copies)
		t.Copies = append(t.Copies, c)
	}
	t.expect(at)
	for i := range t.Copies {
		c := &t.Copies[i]
		if len(byOrigin[c.Origin]) == 0 {
			c.Err = fmt.Errorf("no public key of the log %s was given: `sfmcp-proxy audit key --all` prints those of all logs", c.Origin)
			continue
		}
		c.Verified, c.Err = audit.VerifyCopy(ctx, c.Dir, byOrigin[c.Origin], c.expected)
	}
	t.unknown()
	return t, ctx.Err()
}

// read reads the log's name, when it began, and what it says of the roster.
func (c *Copy) read(ctx context.Context) error {
	segments, err := logfile.Segments(c.Dir)
	if err == nil && len(segments) == 0 {
		err = fmt.Errorf("%s: there is no audit log", c.Dir)
	}
	if err != nil {
		return err
	}
	head, err := logfile.ReadHead(segments[0])
	if err != nil {
		return err
	}
	c.Origin = head.Origin
	for _, s := range segments {
		_, err := logfile.ScanSegment(s, func(r logfile.Record) error {
			c.record(r.Text)
			return ctx.Err()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the verification says what is wrong
			break
		}
	}
	return nil
}

// ofRoster are in every record of what is seen, or of when a log was entered.
var ofRoster = [][]byte{[]byte(`"action":"` + string(audit.LogObserve) + `"`), []byte(`"action":"` + string(audit.LogJoin) + `"`)}

// record takes from a record what it says of the roster.
func (c *Copy) record(text []byte) {
	if !c.begun.IsZero() && !bytes.Contains(text, ofRoster[0]) && !bytes.Contains(text, ofRoster[1]) {
		return
	}
	var e struct {
		Seq       int64
		At        time.Time
		Action    audit.Action
		Arguments observation
	}
	_ = json.Unmarshal(text, &e) // what does not decode says nothing, and the verification looks at it
	if c.begun.IsZero() || e.Action == audit.LogJoin {
		c.begun = e.At
	}
	if e.Action != audit.LogObserve {
		return
	}
	for _, s := range e.Arguments.Logs {
		c.sighted = append(c.sighted, sighted{e.Seq, e.At, e.Arguments.Part == e.Arguments.Parts, s})
	}
}

// expect gives each copy what the others say of it, and finds what is missing.
func (t *Together) expect(at map[string]int) {
	missing := map[string]string{}
	most := map[string]int64{}
	for _, by := range t.Copies {
		for _, s := range by.sighted {
			i, there := at[s.Origin]
			if !there && s.Entries >= most[s.Origin] {
				most[s.Origin] = s.Entries
				missing[s.Origin] = fmt.Sprintf("the log %s is missing: entry %d of %s saw %d entries of it", s.Origin, s.seq, by.Origin, s.Entries)
			}
			if root, ok := s.root(); there && ok && s.Entries > 0 {
				who := fmt.Sprintf("entry %d of the log %s", s.seq, by.Origin)
				t.Copies[i].expected = append(t.Copies[i].expected, audit.Expected{Who: who, Size: s.Entries, Root: root})
			}
		}
	}
	for _, origin := range slices.Sorted(maps.Keys(missing)) {
		t.Findings = append(t.Findings, missing[origin])
	}
}

// unknown finds logs that another one looked at the roster and did not see, and such as were used
// after they were closed.
func (t *Together) unknown() {
	for _, c := range t.Copies {
		for _, by := range t.Copies {
			if by.Origin == c.Origin {
				continue
			}
			if seq := by.without(c); seq > 0 {
				t.Findings = append(t.Findings, fmt.Sprintf("the log %s in %s is unknown: entry %d of %s lists all logs, and not this one", c.Origin, c.Dir, seq, by.Origin))
			}
			if s := by.closed(c.Origin); s != nil && c.Verified.Last > s.Entries {
				t.Findings = append(t.Findings, fmt.Sprintf("the log %s was used after it was closed: entry %d of %s saw it closed with %d entries, and it has %d",
					c.Origin, s.seq, by.Origin, s.Entries, c.Verified.Last))
			}
		}
	}
}

// without is the number of the first entry that ends a look in which a log does not occur, although
// it had begun long before; 0: there is none.
func (c Copy) without(other Copy) (seq int64) {
	seen := false
	for i, s := range c.sighted {
		seen = seen || s.Origin == other.Origin
		ends := s.last && (i+1 == len(c.sighted) || c.sighted[i+1].seq != s.seq)
		if !ends {
			continue
		}
		if !seen && s.at.Sub(other.begun) > unlisted {
			return s.seq
		}
		seen = false
	}
	return 0
}

// closed is the first look that saw a log closed; nil: there is none.
func (c Copy) closed(origin string) *sighted {
	for _, s := range c.sighted {
		if s.Origin == origin && s.Closed {
			return &s
		}
	}
	return nil
}

package audit

import (
	"bytes"
	"context"
	"fmt"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// LostKeys are people whose keys are not there, and of whom no entry says that they were erased: what
// entries say about them can be read by nobody. The database was put back to before the keys were made,
// or somebody took them away. The records themselves are as they were written.
type LostKeys struct {
	People int
	First  int64 // an entry about one of them, the first
	// Emptied counts those whom the database has as erased, with nothing in this log to say so; First counts for
	// them too. Another log may say so; so may entries that were removed by age, or not read, and then it is 0.
	Emptied int
	// Fresh says that an entry about one of them came after the last time that somebody acknowledged
	// that the log and a database that was put back do not agree.
	Fresh bool
}

func (k LostKeys) String() string {
	return fmt.Sprintf("the keys of %d of the people whom entries are about are missing, and no entry says that these were erased; first entry %d: "+
		"the database was put back to before they were made, or somebody took them away", k.People+k.Emptied, k.First)
}

// keyLook looks, while the records of a log are verified, whether the keys of people are there.
type keyLook struct {
	log   *Log
	of    map[string]*keySeen // by pseudonym
	tries []Entry             // the first of each person that their key must open
	acked int64               // the last entry that acknowledges something
}

// keySeen is what is known of one person's key.
type keySeen struct {
	org                          string
	first                        int64 // entry
	tried, erased, lost, emptied bool
}

// erasing is how a record says that somebody is erased, and acknowledging that somebody acknowledged.
var (
	erasing       = []byte(`"action":"` + string(SubjectErase) + `"`)
	acknowledging = []byte(`"action":"` + string(LogAcknowledge) + `"`)
	personMark    = []byte("person-")
)

// pseudonymLength is that of "person-" and 128 bits.
const pseudonymLength = len("person-") + 26

// look takes one record in.
func (k *keyLook) look(ctx context.Context, r logfile.Record) error {
	if bytes.Contains(r.Text, acknowledging) {
		k.acked = r.Seq
	}
	if !k.tells(r.Text) {
		return nil
	}
	e, err := decode(r.Text)
	if err != nil {
		return nil // it is as it was written
	}
	on, _ := e.object()
	for _, id := range []personID{e.owner(), e.acting(e.Actor), e.acting(on), {e.Org, e.Subject}} {
		if isPseudonym(id.subject) && k.of[id.subject] == nil {
			k.of[id.subject] = &keySeen{org: id.org, first: r.Seq}
		}
	}
	if seen := k.of[e.Subject]; seen != nil && e.Action == SubjectErase {
		seen.erased = true
	}
	owner := k.of[e.owner().subject]
	if owner == nil || owner.tried || e.Sealed == "" {
		return nil
	}
	owner.tried = true
	if k.tries = append(k.tries, e); len(k.tries) < readAtOnce {
		return nil
	}
	return k.try(ctx)
}

// tells says whether a record may tell something new of somebody's key.
func (k *keyLook) tells(text []byte) bool {
	for rest := text; ; {
		at := bytes.Index(rest, personMark)
		if at < 0 {
			return false
		}
		if rest = rest[at:]; len(rest) < pseudonymLength {
			return false
		}
		if seen := k.of[string(rest[:pseudonymLength])]; seen == nil || !seen.tried || bytes.Contains(text, erasing) {
			return true
		}
		rest = rest[pseudonymLength:]
	}
}

// try opens what waits with the keys of the database.
func (k *keyLook) try(ctx context.Context) error {
	with, asked := k.log.persons.revealer(), map[personID]bool{}
	for i := range k.tries {
		asked[k.tries[i].owner()] = true
	}
	if err := with.readRows(ctx, asked); err != nil {
		return err
	}
	for i := range k.tries {
		e := &k.tries[i]
		id := e.owner()
		row := with.known[id]
		k.of[id.subject].note(row)
		if row.why == "" && row.unseal(e, id.subject) != nil {
			k.of[id.subject].lost = true
		}
	}
	k.tries = k.tries[:0]
	return nil
}

func (s *keySeen) note(row keyRow) {
	s.lost, s.emptied = row.why == KeyMissing, row.why == Erased
}

// end says what is lost, of a log that was read from its first entry on, or of a part of it.
func (k *keyLook) end(ctx context.Context, whole bool) (lost LostKeys, err error) {
	if err := k.try(ctx); err != nil {
		return lost, err
	}
	rows := map[personID]bool{}
	for pseudonym, seen := range k.of {
		if !seen.tried {
			rows[personID{seen.org, pseudonym}] = true
		}
	}
	with := k.log.persons.revealer()
	if err := with.readRows(ctx, rows); err != nil {
		return lost, err
	}
	for id := range rows {
		k.of[id.subject].note(with.known[id])
	}
	for pseudonym, seen := range k.of {
		if seen.emptied = seen.emptied && whole && !seen.erased; seen.emptied { // or it was erased just now
			n, err := k.log.Count(ctx, Filter{Action: string(SubjectErase), Object: pseudonym})
			if seen.emptied = n == 0; err != nil {
				return lost, err
			}
		}
		if !seen.emptied && (!seen.lost || seen.erased) {
			continue
		}
		if seen.emptied {
			lost.Emptied++
		} else {
			lost.People++
		}
		if lost.First == 0 || seen.first < lost.First {
			lost.First = seen.first
		}
		lost.Fresh = lost.Fresh || seen.first > k.acked
	}
	return lost, nil
}

package audit

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sfmcp-proxy/authproxy/actor"
)

// Why an entry does not say what it said about a person: the values of [Entry.Personal].
const (
	// Erased: the person was erased.
	Erased = "erased"
	// KeyMissing: the database has no key that opens it, and nobody erased the person: the database was put
	// back to before the key was made, or somebody took it away.
	KeyMissing = "key missing"
)

// errUnreadable is that something does not open.
var errUnreadable = errors.New("it does not open")

// owner is the person whom the personal fields of e are about: whom it concerns, else the user or
// person of the company who acted. What a user writes about somebody else is in their own
// arguments, so it is theirs.
func (e *Entry) owner() personID {
	if e.Subject != "" {
		return personID{e.Org, e.Subject}
	}
	return e.acting(e.Actor)
}

// acting is who a is, as one of the persons of the log; of nobody there the id is empty.
func (e *Entry) acting(a actor.Actor) personID {
	if a.IsUser() {
		return personID{e.Org, a.ID}
	}
	issuer, subject, _ := a.PersonOf()
	return personID{issuer, subject}
}

// called is an actor under another id.
func called(a actor.Actor, id string) actor.Actor {
	if issuer, _, ok := a.PersonOf(); ok {
		return actor.Person(issuer, id)
	}
	return actor.User(id)
}

// object is the person of the company whom e acts on, if its object is one: what was linked.
func (e *Entry) object() (actor.Actor, bool) {
	if !strings.HasPrefix(e.Object, "person ") {
		return actor.Actor{}, false
	}
	a := actor.Parse(e.Object)
	_, _, ok := a.PersonOf()
	return a, ok
}

// hide makes e what is stored: people by their pseudonyms, and what is about a person encrypted under
// that person's key. DESIGN.md says of each field why it is about a person or not. e is normalised.
func (p *persons) hide(ctx context.Context, e *Entry) error {
	owner, back := e.owner(), e.Actor != actor.Proxy
	if on, ok := e.object(); ok { // before it is encrypted for somebody else
		on, err := p.hidden(ctx, e, on, back)
		if err != nil {
			return err
		}
		e.Object = on.String()
	}
	by, err := p.hidden(ctx, e, e.Actor, back)
	if err != nil {
		return err
	}
	if owner.subject == "" || isPseudonym(owner.subject) {
		e.Actor = by
		return nil
	}
	who, err := p.of(ctx, owner, back)
	if err != nil {
		return err
	}
	if who.box != nil {
		e.Sealed = who.sealed(e)
	}
	e.Actor = by
	if e.Username, err = p.called(who, e.Username); err != nil || who.box == nil {
		e.Username = ""
	}
	if e.Subject != "" {
		e.Subject = who.pseudonym
	}
	if isAddress(e.Source) {
		e.Source = ""
	}
	if actor.IsIssuer(owner.org) { // what they did is the company's; see appendPersonal
		return err
	}
	e.Object = strings.ReplaceAll(e.Object, owner.subject, who.pseudonym) // a row of theirs
	e.Reason, e.ArgumentsDigest, e.AnswerDigest, e.Records, e.Arguments, e.Sent = "", "", "", nil, nil, nil
	return err
}

// hidden is an actor of e by the pseudonym, if it is a person.
func (p *persons) hidden(ctx context.Context, e *Entry, a actor.Actor, back bool) (actor.Actor, error) {
	id := e.acting(a)
	if id.subject == "" || isPseudonym(id.subject) {
		return a, nil
	}
	who, err := p.of(ctx, id, back)
	if err != nil {
		return a, err
	}
	return called(a, who.pseudonym), nil
}

// mostScratch is how many bytes of text a buffer holds that is kept: more than most calls are asked with.
const mostScratch = 64 << 10

// scratch holds buffers of what is encrypted: the text, what it becomes, and that as text.
var scratch = sync.Pool{New: func() any { return new([3][]byte) }}

// sealed is what e says about its owner, encrypted.
func (who *person) sealed(e *Entry) string {
	b := scratch.Get().(*[3][]byte)
	defer func() {
		clear(b[0]) // what it says is to be read with the key alone
		if cap(b[0]) <= mostScratch {
			scratch.Put(b)
		}
	}()
	b[0] = e.appendPersonal(b[0][:0])
	b[1] = who.box.Seal(b[1][:0], nil, b[0], who.data)
	b[2] = base64.StdEncoding.AppendEncode(b[2][:0], b[1])
	return string(b[2])
}

// appendPersonal writes what e says about its owner, as a JSON object with members of e.
func (e *Entry) appendPersonal(b []byte) []byte {
	own := Entry{Username: e.Username, Reason: e.Reason, ArgumentsDigest: e.ArgumentsDigest, AnswerDigest: e.AnswerDigest}
	if isAddress(e.Source) {
		own.Source = e.Source
	}
	if actor.IsIssuer(e.owner().org) {
		// A person of the company acts for it, as an operator does: what they stopped or accepted,
		// and why, stays when they are erased. What is theirs is where they did it from.
		return asObject(appendTexts(b, Entry{Source: own.Source}.personalTexts()))
	}
	if strings.Contains(e.Object, e.owner().subject) {
		own.Object = e.Object
	}
	b = appendTexts(b, own.personalTexts())
	b = appendRecords(b, e.Records)
	if len(e.Arguments) > 0 {
		b = append(append(b, `,"arguments":`...), e.Arguments...)
	}
	if len(e.Sent) > 0 {
		b = append(append(b, `,"sent":`...), e.Sent...)
	}
	return asObject(b)
}

// asObject makes members, each behind a comma, a JSON object.
func asObject(b []byte) []byte {
	if len(b) == 0 {
		return append(b, "{}"...)
	}
	b[0] = '{' // in place of the first comma
	return append(b, '}')
}

func (e Entry) personalTexts() []member {
	return []member{
		{"object", e.Object, false}, {"source", e.Source, false}, {"username", e.Username, false}, {"arguments_digest", e.ArgumentsDigest, false},
		{"reason", e.Reason, false}, {"answer_digest", e.AnswerDigest, false},
	}
}

// isAddress says whether a source is a network address, and not words of ours.
func isAddress(source string) bool { return strings.ContainsAny(source, ".:") }

// revealer undoes what hide does, for one reader of entries. It remembers the keys that it reads.
type revealer struct {
	*persons
	known map[personID]keyRow // by pseudonym
}

// keyRow is what the database has of a pseudonym.
type keyRow struct {
	subject string // empty: erased, or not there
	box     cipher.AEAD
	why     string // of entries that cannot be read
}

func (p *persons) revealer() *revealer {
	return &revealer{persons: p, known: map[personID]keyRow{}}
}

// revealAll reveals entries. The keys that it does not have yet are read at once.
func (r *revealer) revealAll(ctx context.Context, of []record) error {
	unknown := map[personID]bool{}
	for i := range of {
		e := &of[i].entry
		on, _ := e.object()
		for _, id := range []personID{e.owner(), e.acting(e.Actor), e.acting(on), {e.Org, e.Subject}} {
			if _, known := r.known[id]; !known && isPseudonym(id.subject) {
				unknown[id] = true
			}
		}
	}
	if len(unknown) > 1 {
		if err := r.readRows(ctx, unknown); err != nil {
			return err
		}
	}
	for i := range of {
		if err := r.reveal(ctx, &of[i].entry); err != nil {
			return err
		}
	}
	return nil
}

// reveal brings e to what was appended, as far as that can be read, and says in e.Personal why not.
func (r *revealer) reveal(ctx context.Context, e *Entry) error {
	if owner := e.owner(); isPseudonym(owner.subject) {
		who, err := r.row(ctx, owner)
		if err != nil {
			return err
		}
		if e.Personal = who.why; who.why == "" && e.Sealed != "" && who.unseal(e, owner.subject) != nil {
			e.Personal = KeyMissing
		}
		if e.Personal == "" {
			e.Sealed = ""
		}
	}
	if on, ok := e.object(); ok {
		on, err := r.shown(ctx, e, on)
		if err != nil {
			return err
		}
		e.Object = on.String()
	}
	by, err := r.shown(ctx, e, e.Actor)
	if err != nil {
		return err
	}
	e.Actor = by
	if isPseudonym(e.Subject) {
		who, err := r.row(ctx, personID{e.Org, e.Subject})
		if err != nil {
			return err
		}
		if who.subject != "" {
			e.Subject = who.subject
		}
	}
	return nil
}

// shown is an actor of e with the name in place of the pseudonym, as far as that can be read.
func (r *revealer) shown(ctx context.Context, e *Entry, a actor.Actor) (actor.Actor, error) {
	id := e.acting(a)
	if !isPseudonym(id.subject) {
		return a, nil
	}
	row, err := r.row(ctx, id)
	if err != nil || row.subject == "" {
		return a, err
	}
	return called(a, row.subject), nil
}

// row is what the database has of a pseudonym.
func (r *revealer) row(ctx context.Context, id personID) (keyRow, error) {
	if _, known := r.known[id]; !known {
		if err := r.readRows(ctx, map[personID]bool{id: true}); err != nil {
			return keyRow{}, err
		}
	}
	return r.known[id], nil
}

// rowsAtOnce is how many pseudonyms one statement asks for: the driver of SQLite looks through all
// arguments for each of them.
const rowsAtOnce = 60

// readRows reads what the database has of pseudonyms.
func (r *revealer) readRows(ctx context.Context, all map[personID]bool) error {
	of := map[string][]string{} // by org, so that the key of the table serves the statement
	for id := range all {
		of[id.org] = append(of[id.org], id.subject)
	}
	for org, pseudonyms := range of {
		for some := range slices.Chunk(pseudonyms, rowsAtOnce) {
			args, places := []any{org}, []string{}
			for _, pseudonym := range some {
				args = append(args, pseudonym)
				places = append(places, fmt.Sprintf("$%d", len(args)))
			}
			rows, err := r.db.Reads.QueryContext(ctx, `SELECT pseudonym, subject, sealed_key FROM audit_persons WHERE org = $1 AND pseudonym IN (`+strings.Join(places, ", ")+`)`, args...)
			if err == nil {
				err = r.addRows(ctx, org, some, rows)
			}
			if err != nil {
				return fmt.Errorf("reading the key of a person: %w", err)
			}
		}
	}
	return nil
}

// addRows remembers the rows of some pseudonyms. Keys are opened when all have been read: opening one
// may write.
func (r *revealer) addRows(ctx context.Context, org string, some []string, rows *sql.Rows) error {
	defer rows.Close()
	var read [][3]string // pseudonym, subject, sealed key
	for rows.Next() {
		var row [3]string
		if err := rows.Scan(&row[0], &row[1], &row[2]); err != nil {
			return err
		}
		read = append(read, row)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, pseudonym := range some {
		r.known[personID{org, pseudonym}] = keyRow{why: KeyMissing}
	}
	for _, row := range read {
		if at := (personID{org, row[0]}); row[1] == "" {
			r.known[at] = keyRow{why: Erased}
		} else if box, err := r.boxOf(ctx, sealedKey{personID{org, row[1]}, row[0], row[2]}); err == nil {
			r.known[at] = keyRow{subject: row[1], box: box}
		}
	}
	return nil
}

// unseal reads the personal fields of an entry.
func (row keyRow) unseal(e *Entry, pseudonym string) error {
	box, err := base64.StdEncoding.DecodeString(e.Sealed)
	if err != nil {
		return errUnreadable
	}
	text, err := row.box.Open(nil, nil, box, []byte(pseudonym))
	if err != nil {
		return errUnreadable
	}
	return json.Unmarshal(text, e)
}

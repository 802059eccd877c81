package audit

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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

// owner is the person whom the personal fields of e are about: whom it concerns, else the user who
// acted. What a user writes about somebody else is in their own arguments, so it is theirs.
func (e *Entry) owner() string {
	if e.Subject == "" && e.Actor.IsUser() {
		return e.Actor.ID
	}
	return e.Subject
}

// hide makes e what is stored: people by their pseudonyms, and what is about a person encrypted under
// that person's key. DESIGN.md says of each field why it is about a person or not. e is normalised.
func (p *persons) hide(ctx context.Context, e *Entry) error {
	owner := e.owner()
	if owner == "" || isPseudonym(owner) {
		return nil
	}
	back := e.Actor != actor.Proxy
	who, err := p.of(ctx, personID{e.Org, owner}, back)
	if err != nil {
		return err
	}
	if e.Actor.IsUser() {
		by := who
		if e.Actor.ID != owner {
			if by, err = p.of(ctx, personID{e.Org, e.Actor.ID}, back); err != nil {
				return err
			}
		}
		e.Actor.ID = by.pseudonym
	}
	if who.box != nil {
		e.Sealed = who.sealed(e)
	}
	if e.Username, err = p.called(who, e.Username); err != nil || who.box == nil {
		e.Username = ""
	}
	if e.Subject != "" {
		e.Subject = who.pseudonym
	}
	if isAddress(e.Source) {
		e.Source = ""
	}
	e.Object = strings.ReplaceAll(e.Object, owner, who.pseudonym) // a row of theirs
	e.Reason, e.ArgumentsDigest, e.AnswerDigest, e.Records, e.Arguments, e.Sent = "", "", "", nil, nil, nil
	return err
}

// scratch holds buffers of what is encrypted: the text, what it becomes, and that as text.
var scratch = sync.Pool{New: func() any { return new([3][]byte) }}

// sealed is what e says about its owner, encrypted.
func (who *person) sealed(e *Entry) string {
	b := scratch.Get().(*[3][]byte)
	defer scratch.Put(b)
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
	if strings.Contains(e.Object, e.owner()) {
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
	if len(b) == 0 {
		return append(b, "{}"...)
	}
	b[0] = '{' // in place of the first comma
	return append(b, '}')
}

func (e *Entry) personalTexts() []member {
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

// reveal brings e to what was appended, as far as that can be read, and says in e.Personal why not.
func (r *revealer) reveal(ctx context.Context, e *Entry) error {
	owner, org := e.owner(), e.Org
	if !isPseudonym(owner) {
		return nil
	}
	who, err := r.row(ctx, personID{org, owner})
	if err != nil {
		return err
	}
	if e.Personal = who.why; who.why == "" && e.Sealed != "" && who.unseal(e, owner) != nil {
		e.Personal = KeyMissing
	}
	for _, id := range []*string{&e.Subject, &e.Actor.ID} {
		if !isPseudonym(*id) || id == &e.Actor.ID && !e.Actor.IsUser() {
			continue
		}
		by, err := r.row(ctx, personID{org, *id})
		if err != nil {
			return err
		}
		if by.subject != "" {
			*id = by.subject
		}
	}
	if e.Personal == "" {
		e.Sealed = ""
	}
	return nil
}

// row reads what the database has of a pseudonym.
func (r *revealer) row(ctx context.Context, id personID) (keyRow, error) {
	if known, ok := r.known[id]; ok {
		return known, nil
	}
	row := keyRow{why: KeyMissing}
	var subject, sealed string
	err := r.db.Reads.QueryRowContext(ctx, `SELECT subject, sealed_key FROM audit_persons WHERE org = $1 AND pseudonym = $2`, id.org, id.subject).Scan(&subject, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return row, fmt.Errorf("reading the key of a person: %w", err)
	case subject == "":
		row.why = Erased
	default:
		if box, err := r.open(ctx, personID{id.org, subject}, id.subject, sealed); err == nil {
			row = keyRow{subject: subject, box: box}
		}
	}
	r.known[id] = row
	return row, nil
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

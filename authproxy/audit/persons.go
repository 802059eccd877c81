package audit

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// maxPersons bounds the persons whose keys a process has in memory.
	maxPersons = 10_000
)

// persons keeps a key for each person of the log, in the table audit_persons: what an entry
// says about a person is encrypted under it, and who deletes the key has erased that. In
// entries a person has a pseudonym, an HMAC of org and id under the key ring. Who was erased and
// comes back is another person: another pseudonym, another key. It is safe for concurrent use.
type persons struct {
	db    *db.DB
	ring  *seal.KeyRing
	known *lru.Cache[personID, *person]
	// boxes are keys that were opened for reading, by what the database has of each: whoever was erased
	// has nothing there.
	boxes *lru.Cache[sealedKey, cipher.AEAD]
}

// sealedKey is the row of a person who has a key.
type sealedKey struct {
	id                personID
	pseudonym, sealed string
}

// personID is a person as Salesforce knows them, or as a provider does: then org is its issuer.
type personID struct{ org, subject string }

// person is a person as entries have them.
type person struct {
	pseudonym string
	data      []byte      // that is authenticated with each entry: the pseudonym
	box       cipher.AEAD // nil: the person was erased, and nothing about them is stored
	named     atomic.Pointer[named]
}

// named is a username with its pseudonym.
type named struct{ username, pseudonym string }

func newPersons(c Config) *persons {
	known, err := lru.New[personID, *person](maxPersons)
	boxes, boxesErr := lru.New[sealedKey, cipher.AEAD](maxPersons)
	if err = errors.Join(err, boxesErr); err != nil {
		panic(err) // the size is a constant
	}
	return &persons{db: c.DB, ring: c.Ring, known: known, boxes: boxes}
}

// forget makes this process read keys again: another one may have erased some.
func (p *persons) forget() {
	p.known.Purge()
	p.boxes.Purge()
}

// boxOf opens the key of a row that was just read, unless it was opened before.
func (p *persons) boxOf(ctx context.Context, row sealedKey) (cipher.AEAD, error) {
	if box, ok := p.boxes.Get(row); ok {
		return box, nil
	}
	box, err := p.open(ctx, row.id, row.pseudonym, row.sealed)
	if err == nil {
		p.boxes.Add(row, box)
	}
	return box, err
}

// of is a person, who gets a key if they have none. Of one who was erased, and of whom only the
// proxy itself speaks, no key is made: they have not come back.
func (p *persons) of(ctx context.Context, id personID, back bool) (*person, error) {
	if known, ok := p.known.Get(id); ok {
		return known, nil
	}
	ctx = context.WithoutCancel(ctx) // what is said of them must not depend on who waits for it
	for range 3 {                    // another process may make the key, or erase it, meanwhile
		found, err := p.read(ctx, id)
		if err == nil && found == nil {
			found, err = p.begin(ctx, id, back)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the key of a person: %w", err)
		}
		if found != nil {
			if found.box != nil {
				p.known.Add(id, found)
			}
			return found, nil
		}
	}
	return nil, errors.New("reading the key of a person: it was made and erased again and again")
}

// readTime is how long a database may take to say what key a person has. What is to be recorded
// waits for it, and with it whoever is to be answered: a call that was cut off ends although the
// database hangs.
const readTime = 2 * time.Second

// readPerson finds a person by the index of those who have not been erased, which serves a statement
// that says so.
const readPerson = `SELECT pseudonym, sealed_key FROM audit_persons WHERE org = $1 AND subject = $2 AND subject <> ''`

// read reads the key of a person; nil: there is none.
func (p *persons) read(ctx context.Context, id personID) (*person, error) {
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var pseudonym, sealed string
	err := p.db.Reads.QueryRowContext(reading, readPerson, id.org, id.subject).Scan(&pseudonym, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	box, err := p.open(ctx, id, pseudonym, sealed)
	return newPerson(pseudonym, box), err
}

func newPerson(pseudonym string, box cipher.AEAD) *person {
	return &person{pseudonym: pseudonym, data: []byte(pseudonym), box: box}
}

// open opens the key of a person. One that an earlier key of the ring has sealed is sealed anew.
func (p *persons) open(ctx context.Context, id personID, pseudonym, sealed string) (cipher.AEAD, error) {
	root, err := p.ring.Open(placeOf(id, pseudonym), sealed)
	if err != nil {
		return nil, fmt.Errorf("the key of %s in the database was changed, or sealed with a key that is not in %s: put either back: %w", pseudonym, p.ring.Path(), err)
	}
	if keys, err := p.ring.Keys(pseudonymKey); err == nil && !strings.HasPrefix(sealed, "v1."+keys[0].ID+".") {
		if err := p.sealAnew(ctx, id, pseudonym, sealed, root); err != nil {
			return nil, err
		}
	}
	return newBox(root)
}

func (p *persons) sealAnew(ctx context.Context, id personID, pseudonym, sealed string, root []byte) error {
	anew, err := p.ring.Seal(placeOf(id, pseudonym), root)
	if err != nil {
		return err
	}
	_, err = p.db.Writes.ExecContext(ctx, `UPDATE audit_persons SET sealed_key = $1 WHERE org = $2 AND pseudonym = $3 AND sealed_key = $4`,
		anew, id.org, pseudonym, sealed)
	return err
}

// placeOf is where a person's key lies: with its person, so that it can become nobody else's.
func placeOf(id personID, pseudonym string) seal.Place {
	return seal.Place{Table: "audit_persons", Row: pseudonym, Org: id.org, Subject: id.subject, Purpose: "audit person"}
}

// newBox is AES-256-GCM with random nonces: one key is good for 2^32 entries of one person.
func newBox(root []byte) (cipher.AEAD, error) { return seal.NewAEAD(root, "sfmcp-proxy audit entry") }

// begin makes the key of a person who has none; nil: somebody else has just done so. Unless they
// are back, one who was erased stays so.
func (p *persons) begin(ctx context.Context, id personID, back bool) (*person, error) {
	unused, erased, err := p.unused(ctx, id)
	if err != nil {
		return nil, err
	}
	pseudonym := unused[0]
	if erased != "" && !back {
		return newPerson(erased, nil), nil
	}
	root := make([]byte, 32)
	_, _ = rand.Read(root) // never fails
	sealed, err := p.ring.Seal(placeOf(id, pseudonym), root)
	if err != nil {
		return nil, err
	}
	n, err := db.Affected(ctx, p.db.Writes, `INSERT INTO audit_persons (org, pseudonym, subject, sealed_key) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, id.org, pseudonym, id.subject, sealed)
	if err != nil || n == 0 {
		return nil, err
	}
	box, err := newBox(root)
	return newPerson(pseudonym, box), err
}

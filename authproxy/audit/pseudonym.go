package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/actor"
)

const (
	// pseudonymKey is what the keys of pseudonyms are derived for.
	pseudonymKey = "audit pseudonym"
	// maxLives bounds how often one person is looked for who was erased and came back.
	maxLives = 1000
)

// unused are the pseudonyms of a person in the first life in which nobody has erased them, and the
// one under which they were erased last.
func (p *persons) unused(ctx context.Context, id personID) (unused []string, erased string, err error) {
	lives, erased, err := p.lives(ctx, id)
	if err != nil {
		return nil, "", err
	}
	return lives[len(lives)-1], erased, nil
}

// lives are the pseudonyms of a person in each life, of which the last one has not been erased, and
// the one under which they were erased last.
func (p *persons) lives(ctx context.Context, id personID) (all [][]string, erased string, err error) {
	for life := range maxLives {
		pseudonyms, err := p.pseudonyms(id, life)
		if err != nil {
			return nil, "", err
		}
		was := ""
		for _, pseudonym := range pseudonyms {
			has := func(string) { was = pseudonym }
			if err := p.each(ctx, has, `SELECT pseudonym FROM audit_persons WHERE org = $1 AND pseudonym = $2 AND subject = ''`, id.org, pseudonym); err != nil {
				return nil, "", err
			}
		}
		if all = append(all, pseudonyms); was == "" {
			return all, erased, nil
		}
		erased = was
	}
	return nil, "", fmt.Errorf("a person was erased %d times", maxLives)
}

// pseudonyms are what a person is called in one life, by every key of the ring, the one that seals
// first.
func (p *persons) pseudonyms(id personID, life int) ([]string, error) {
	return p.aliases("person", id.org, id.subject, strconv.Itoa(life))
}

// names are the pseudonyms of a username.
func (p *persons) names(username string) ([]string, error) {
	return p.aliases("name", folded(username))
}

// aliases are what stands for a list of fields, by every key of the ring, the one that seals first:
// "KIND-" and 128 bits of an HMAC with SHA-256.
func (p *persons) aliases(kind string, fields ...string) ([]string, error) {
	keys, err := p.ring.Keys(pseudonymKey)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(keys))
	for i, key := range keys {
		h := hmac.New(sha256.New, key.Key)
		fmt.Fprintf(h, "%d:%s", len(kind), kind)
		for _, field := range fields {
			fmt.Fprintf(h, "%d:%s", len(field), field)
		}
		all[i] = kind + "-" + aliasText.EncodeToString(h.Sum(nil)[:16])
	}
	return all, nil
}

// aliasText is lower case, so that a pseudonym is the same in any case that it is compared in.
var aliasText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// isPseudonym says whether an id is that of a person in an entry.
func isPseudonym(id string) bool { return strings.HasPrefix(id, "person-") }

// namesPersons says whether a record may have pseudonyms of people.
func namesPersons(record []byte) bool { return bytes.Contains(record, []byte("person-")) }

// called is the pseudonym of a username, which one person seldom changes.
func (p *persons) called(who *person, username string) (string, error) {
	if username == "" {
		return "", nil
	}
	if last := who.named.Load(); last != nil && last.username == username {
		return last.pseudonym, nil
	}
	all, err := p.names(username)
	if err != nil {
		return "", err
	}
	who.named.Store(&named{username, all[0]})
	return all[0], nil
}

// orgsOfPersons goes from each org to the next one by the index, so that it reads as many rows as there are
// orgs, and not as there are people.
const orgsOfPersons = `WITH RECURSIVE logged (org) AS (
		SELECT (SELECT MIN(org) FROM audit_persons)
		UNION ALL SELECT (SELECT MIN(p.org) FROM audit_persons p WHERE p.org > logged.org) FROM logged WHERE logged.org IS NOT NULL),
	known (org) AS (
		SELECT (SELECT MIN(org) FROM users)
		UNION ALL SELECT (SELECT MIN(u.org) FROM users u WHERE u.org > known.org) FROM known WHERE known.org IS NOT NULL)
	SELECT org FROM logged WHERE org IS NOT NULL UNION SELECT org FROM known WHERE org IS NOT NULL`

// everywhere are all pseudonyms that people of those ids have or would get, in any org.
func (p *persons) everywhere(ctx context.Context, subjects []string) (all []string, err error) {
	orgs, err := p.orgs(ctx)
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		if isPseudonym(subject) {
			all = append(all, subject)
			continue
		}
		for _, org := range orgs {
			those, err := p.present(ctx, personID{org, subject})
			if err != nil {
				return nil, err
			}
			all = append(all, those...)
		}
	}
	return all, nil
}

// present are the pseudonyms that somebody has or would get: not those under which they were erased.
func (p *persons) present(ctx context.Context, id personID) (all []string, err error) {
	has := func(pseudonym string) { all = append(all, pseudonym) }
	if err := p.each(ctx, has, `SELECT pseudonym FROM audit_persons WHERE org = $1 AND subject = $2 AND subject <> ''`, id.org, id.subject); err != nil {
		return nil, err
	}
	unused, _, err := p.unused(ctx, id)
	return append(all, unused...), err
}

// atCompany are those of who who are of the company, by name and by pseudonym. A pseudonym among the
// subjects of who may be that of a person of any company.
func (p *persons) atCompany(ctx context.Context, who Person) (all []actor.Actor, err error) {
	for _, a := range who.Company {
		all = append(all, a)
		issuer, subject, ok := a.PersonOf()
		if !ok || isPseudonym(subject) {
			continue
		}
		pseudonyms, err := p.present(ctx, personID{issuer, subject})
		if err != nil {
			return nil, err
		}
		for _, pseudonym := range pseudonyms {
			all = append(all, actor.Person(issuer, pseudonym))
		}
	}
	for _, pseudonym := range who.Subjects {
		if !isPseudonym(pseudonym) {
			continue
		}
		orgs, err := p.orgs(ctx)
		if err != nil {
			return nil, err
		}
		for _, org := range orgs {
			has := func(issuer string) { all = append(all, actor.Person(issuer, pseudonym)) }
			if !actor.IsIssuer(org) {
				continue
			}
			if err := p.each(ctx, has, `SELECT org FROM audit_persons WHERE org = $1 AND pseudonym = $2`, org, pseudonym); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// orgs are all orgs, and issuers, of which the log or the database has somebody.
func (p *persons) orgs(ctx context.Context) (all []string, err error) {
	err = p.each(ctx, func(org string) { all = append(all, org) }, orgsOfPersons+` ORDER BY org`)
	return all, err
}

// Pseudonyms are what entries may call a user of whom the database has no key, also as somebody who
// was erased: by every key of the key file.
func (p Persons) Pseudonyms(ctx context.Context, org, subject string) (all []string, err error) {
	lives, _, err := p.log.persons.lives(ctx, personID{org, subject})
	return slices.Concat(lives...), err
}

// OrgsOf are the orgs in which the log has a user under a key.
func (p Persons) OrgsOf(ctx context.Context, subject string) (orgs []string, err error) {
	all, err := p.log.persons.orgs(ctx)
	if err != nil {
		return nil, err
	}
	for _, org := range all {
		has := func(org string) { orgs = append(orgs, org) }
		if err := p.log.persons.each(ctx, has, `SELECT org FROM audit_persons WHERE org = $1 AND subject = $2 AND subject <> ''`, org, subject); err != nil {
			return nil, err
		}
	}
	return orgs, nil
}

// each calls f with every text that a query gives.
func (p *persons) each(ctx context.Context, f func(string), query string, args ...any) error {
	rows, err := p.db.Reads.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("reading the persons of the audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("reading the persons of the audit log: %w", err)
		}
		f(text)
	}
	return rows.Err()
}

package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/actor"
)

// ErrUnknownPerson is that the log has no key of somebody: it says nothing about them that could be
// erased.
var ErrUnknownPerson = errors.New("no entry that could be erased is about that person")

// Erasure is who has a person erased, and why. Why stays in the log: it should not say whom.
type Erasure struct {
	By  actor.Actor
	Why string
}

// ErasedPerson says of whom nothing can be read any more.
type ErasedPerson struct {
	Pseudonym string // which the entries have in place of the person
	Entries   int    // that cannot be read any more, but for what is about nobody
}

// Persons are the people whom a log is about: under which pseudonyms it has them, and how they
// are erased.
type Persons struct{ log *Log }

// Persons are those whom the log is about.
func (l *Log) Persons() Persons { return Persons{l} }

// Erase erases a Salesforce user of an org, or the person of the company whose issuer is org. It has besides delete what others store of a person, and deletes the key of the person, which
// nobody can make again: what entries say about them can be read by nobody any more, and the log
// verifies as before. It is recorded before and after, under the pseudonym. [ErrUnknownPerson]
func (p Persons) Erase(ctx context.Context, org, subject string, by Erasure, besides func(context.Context) error) (ErasedPerson, error) {
	who, err := p.log.persons.read(ctx, personID{org, subject})
	if err == nil && who == nil {
		err = ErrUnknownPerson
	}
	if err != nil {
		return ErasedPerson{}, err
	}
	done := ErasedPerson{Pseudonym: who.pseudonym}
	theirs := Filter{Person: Person{Subjects: []string{who.pseudonym}}}
	if actor.IsIssuer(org) {
		theirs = Filter{Actor: actor.Person(org, who.pseudonym).String()}
	}
	if done.Entries, err = p.log.Count(ctx, theirs); err != nil {
		return done, err
	}
	e := Entry{Actor: by.By, Action: SubjectErase, Org: org, Subject: who.pseudonym, Object: who.pseudonym, Reason: by.Why}
	err = p.log.Call(ctx, e, func(ctx context.Context) (Result, error) {
		if err := besides(ctx); err != nil {
			return Result{}, err
		}
		_, changed, err := p.EraseAgain(ctx, org, who.pseudonym)
		if err == nil && !changed { // another process was quicker
			err = ErrUnknownPerson
		}
		return Result{Reason: by.Why}, err
	})
	return done, err
}

// EraseAgain deletes the key of whom entries have under a pseudonym, if the database has it, and sees
// to it that the database knows of the erasure. It returns who it was, if that was there, and whether it changed
// anything. It records nothing.
func (p Persons) EraseAgain(ctx context.Context, org, pseudonym string) (subject string, changed bool, err error) {
	store := p.log.config.DB
	defer p.Forget()
	err = store.Tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT subject FROM audit_persons WHERE org = $1 AND pseudonym = $2`+store.ForUpdate("audit_persons"), org, pseudonym).Scan(&subject)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO audit_persons (org, pseudonym, subject, sealed_key) VALUES ($1, $2, '', '')
			ON CONFLICT (org, pseudonym) DO UPDATE SET subject = '', sealed_key = '' WHERE audit_persons.sealed_key <> ''`, org, pseudonym)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if changed = n > 0; err != nil || !changed {
			return err
		}
		return store.RaiseAccessEpoch(ctx, tx) // other processes forget the key
	})
	if err != nil {
		return "", false, fmt.Errorf("erasing a person: %w", err)
	}
	return subject, changed, nil
}

// Forget makes this process read the keys of people again, because another one may have
// erased some. What is written with a key that was erased can be read by nobody.
func (p Persons) Forget() { p.log.persons.forget() }

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

// evidence is what is to be written about users who were cut off, or about a client with the
// users who had connected it.
type evidence struct {
	dir, did     string // did is the command's words: "user block"
	users        []grant.User
	client       string // empty: about the users
	atSalesforce string // what Salesforce could not be told
}

// manifest says what a directory of evidence holds, and what it lacks.
type manifest struct {
	Created time.Time      `json:"created"`
	By      actor.Actor    `json:"by"`
	Did     string         `json:"did"`
	Version string         `json:"version"`
	Client  string         `json:"client,omitempty"`
	Users   []manifestUser `json:"users"`
	Company []actor.Actor  `json:"company,omitempty"` // who the users are at the company, by links
	Files   []manifestFile `json:"files"`
	Missing []string       `json:"missing"`
}

type manifestUser struct {
	Org      string `json:"org"`
	Subject  string `json:"subject"`
	Username string `json:"username"`
}

type manifestFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
	Lines  int    `json:"lines"`
}

// freshDirectory says what keeps dir from being written into: it must be new or empty. That it
// cannot be made is found out later, and keeps nobody from being cut off.
func freshDirectory(dir string) error {
	if dir == "" {
		return nil
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}

// evidenceOf is what is known of users or a client, from the stores.
type evidenceOf struct{ *stores }

// write writes every part that it can, says so line by line, and returns what is
// missing. None of it is secret: no token, no argument of a call but as the audit log has it.
func (s evidenceOf) write(cmd *cobra.Command, e evidence) error {
	m := manifest{Created: s.now().UTC(), By: operator(""), Did: e.did, Client: e.client, Version: version, Files: []manifestFile{}, Missing: []string{}}
	if e.atSalesforce != "" {
		m.Missing = append(m.Missing, "revocation at Salesforce: "+e.atSalesforce)
	}
	about, aboutErr := s.about(cmd.Context(), e, &m)
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return fmt.Errorf("the evidence is missing: %w", err)
	}
	part := func(name string, write func(io.Writer) error) { m.part(besides(cmd), e.dir, name, write) }
	part("audit.jsonl", func(w io.Writer) error {
		read, err := s.readLog(cmd, audit.LogExport, "entries", about)
		if err != nil {
			return errors.Join(aboutErr, err)
		}
		return errors.Join(aboutErr, s.audit.Export(cmd.Context(), read, w))
	})
	part("connections.json", func(w io.Writer) error { return s.connectionsOf(cmd.Context(), e, w) })
	part("approvals.json", func(w io.Writer) error { return s.approvalsOf(cmd.Context(), e, w) })
	part("verification.json", func(w io.Writer) error { return s.verification(cmd, w) })
	text, err := json.MarshalIndent(m, "", "  ")
	text = append(text, '\n')
	if err == nil {
		err = writeNew(filepath.Join(e.dir, "manifest.json"), text)
	}
	if err != nil {
		m.Missing = append(m.Missing, "manifest.json: "+err.Error())
	} else {
		fmt.Fprintf(besides(cmd), "wrote %s: SHA-256 %x\n", filepath.Join(e.dir, "manifest.json"), sha256.Sum256(text))
	}
	var missing error
	for _, what := range m.Missing {
		missing = errors.Join(missing, errors.New("missing: "+what))
	}
	return missing
}

// about selects the entries, and notes in m whom they are about. Where it cannot be found out who else a
// user is, they are those about the user alone.
func (s evidenceOf) about(ctx context.Context, e evidence, m *manifest) (audit.Filter, error) {
	var f audit.Filter
	for _, u := range e.users {
		m.Users = append(m.Users, manifestUser{u.Org, u.Subject, u.Username})
		f.Person.Subjects = append(f.Person.Subjects, u.Subject)
	}
	if e.client != "" {
		return audit.Filter{Client: e.client}, nil
	}
	whom, err := s.humans().Of(ctx, e.users...)
	if err != nil {
		return f, err
	}
	m.Company, m.Missing = whom.Company, append(m.Missing, whom.Unsure...)
	return audit.Filter{Person: whom.Person}, nil
}

// part writes one file of the evidence in dir and says so to said. What can be had of it is written all the same.
func (m *manifest) part(said io.Writer, dir, name string, write func(io.Writer) error) {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		m.Missing = append(m.Missing, name+": "+err.Error())
	}
	if err := writeNew(filepath.Join(dir, name), text.Bytes()); err != nil {
		m.Missing = append(m.Missing, name+": "+err.Error())
		return
	}
	sum := sha256.Sum256(text.Bytes())
	file := manifestFile{name, hex.EncodeToString(sum[:]), text.Len(), bytes.Count(text.Bytes(), []byte("\n"))}
	m.Files = append(m.Files, file)
	fmt.Fprintf(said, "wrote %s: %d %s\n", filepath.Join(dir, name), file.Lines, plural(file.Lines, "line"))
}

func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (s evidenceOf) connectionsOf(ctx context.Context, e evidence, w io.Writer) (err error) {
	if e.client != "" {
		grants, err := s.grants.Grants(ctx, grant.Filter{ClientID: e.client, All: true})
		return errors.Join(err, listing.Printer{Out: w, Notes: w, JSON: true}.Grants(grants))
	}
	for _, u := range e.users {
		grants, failed := s.grants.Grants(ctx, grant.Filter{Org: u.Org, Subject: u.Subject, All: true})
		err = errors.Join(err, failed, listing.Printer{Out: w, Notes: w, JSON: true}.Grants(grants))
	}
	return err
}

// approvalsOf leaves the arguments to the audit log, which has them redacted, under the same digest.
func (s evidenceOf) approvalsOf(ctx context.Context, e evidence, w io.Writer) (err error) {
	for _, u := range e.users {
		theirs := approval.Filter{Org: u.Org, Subject: u.Subject}
		requests, failed := s.approvals.List(ctx, theirs)
		if n, err := s.approvals.Count(ctx, theirs); err != nil || n > len(requests) && len(requests) == approval.MostListed {
			failed = errors.Join(failed, err, fmt.Errorf("only the newest %d of %d that were asked for by user %s are there", len(requests), n, u.Subject))
		}
		requests = slices.DeleteFunc(requests, func(r approval.Request) bool { return e.client != "" && r.ClientID != e.client })
		for i := range requests {
			requests[i].Arguments = nil
		}
		err = errors.Join(err, failed, listing.Printer{Out: w, Notes: w, JSON: true}.Approvals(requests))
	}
	return err
}

// verification writes whether the audit log is sound; that it is not is an error as well.
func (s evidenceOf) verification(cmd *cobra.Command, w io.Writer) error {
	seen, err := s.audit.Verify(cmd.Context())
	result := struct {
		Sound   bool   `json:"sound"`
		Entries int64  `json:"sound_entries"`
		Problem string `json:"problem,omitempty"`
		Lost    string `json:"lost,omitempty"`
	}{Sound: err == nil, Entries: seen.Last}
	if err == nil && seen.Lost.People > 0 {
		result.Lost = seen.Lost.String()
		err = errors.New(result.Lost)
	}
	if !result.Sound {
		result.Problem = err.Error()
	}
	return errors.Join(err, json.NewEncoder(w).Encode(result))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/packing"
)

func evidenceCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
		Use: "evidence", Short: "Pack what the log has of a person, an approval, a control or a time, with proofs",
		Long: `evidence packs entries of the audit log for somebody who has neither this machine nor a reason to
trust it: the records, the proof of each, the signed checkpoint, what the entries say in the clear,
counts, and a manifest with the SHA-256 of each file. That the pack was made is an entry of the log
that holds the SHA-256 of the manifest, and lies beside it with its proof. 'evidence verify' checks
all of it with the public key of the log alone.

  --user USER          everything that concerns one human, their connections and calls that waited;
                       person.json says who they are, at Salesforce and at the company
  --approval APPROVAL  one call that waited, from asking to what Salesforce answered
  --control access     who was given access and lost it, with the time between
  --control policy     changes of the configuration, the policies and the definitions
  --control reviews    access reviews: what was in them and what was decided
  --since, --until     alone: every entry of a time; with one of the others: only those of a time`,
		Args: usageArgs(cobra.NoArgs)}, makeEvidence)
	f := cmd.Flags()
	f.String("user", "", "a human: "+whoForms)
	f.String("approval", "", "the id of a call that waited")
	f.String("control", "", "access, policy or reviews")
	f.String("since", "", "from then on: "+timeForms)
	f.String("until", "", "before then; a date means its end")
	f.String("output", "", "the pack: a new directory, or a new archive if the name ends with .tar")
	f.String("as", "", "who it is made for: a name for the audit log, beside that of the operator")
	jsonFlag(cmd)
	cmd.AddCommand(evidenceVerifyCommand())
	return cmd
}

func makeEvidence(s *stores, cmd *cobra.Command, _ []string) error {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	output := text("output")
	if output == "" {
		return usageError{errors.New("--output is required: a new directory, or FILE.tar")}
	}
	var when audit.Filter
	if err := setTimes(&when, text("since"), text("until"), s.now()); err != nil {
		return usageError{err}
	}
	by, err := decider(cmd)
	if err != nil {
		return err
	}
	packs, err := s.newPacks()
	if err != nil {
		return err
	}
	if text("user") != "" {
		if _, err := s.named(cmd, text("user")); err != nil {
			return notMade(err, packing.Asked{})
		}
	}
	asked := packing.Asked{User: text("user"), Approval: text("approval"), Control: text("control"), Since: when.Since, Until: when.Until}
	made, err := packs.Make(cmd.Context(), asked, by, output)
	if err != nil {
		return notMade(err, asked)
	}
	m := made.Manifest
	done := fmt.Sprintf("wrote %s: %d %s, %s; entry %d of the log holds the SHA-256 of its manifest\ncheck it with: sfmcp-proxy evidence verify %s --key KEY",
		output, m.Entries.Count, entries(m.Entries.Count), counted(len(m.Files), "file"), made.Bound, output)
	err = report(cmd, done, deed{Did: "evidence", File: output, Count: &m.Entries.Count, Position: &made.Bound})
	for _, what := range m.Missing {
		err = errors.Join(err, errors.New("missing: "+what))
	}
	return err
}

// notMade says why there is no pack.
func notMade(err error, asked packing.Asked) error {
	if place, ok := errors.AsType[*packing.PlaceError](err); ok {
		return usageError{fmt.Errorf("--output: %w; nothing was done", place)}
	}
	if wrong, ok := errors.AsType[*oversight.InputError](err); ok {
		return usageError{wrong}
	}
	if errors.Is(err, approval.ErrNotFound) {
		return noApproval(asked.Approval)
	}
	return err
}

// newPacks makes packs of evidence, for the command, the pages and the API.
func (s *stores) newPacks() (*packing.Maker, error) {
	of := evidenceOf{s}
	scratch := []string{os.TempDir()} // which a container need not have
	if !s.config.Audit.InDatabase() {
		scratch = append(scratch, filepath.Dir(s.config.Audit.Dir))
	}
	return packing.New(packing.Config{Audit: s.audit, Grants: s.grants, Humans: s.humans(), Record: s.newDecisions().Evidence, Version: version, Scratch: scratch, Now: s.now,
		Connections: func(ctx context.Context, users []grant.User, w io.Writer) error {
			return of.connectionsOf(ctx, evidence{users: users}, w)
		},
		Waited: func(ctx context.Context, users []grant.User, w io.Writer) error {
			return of.approvalsOf(ctx, evidence{users: users}, w)
		}})
}

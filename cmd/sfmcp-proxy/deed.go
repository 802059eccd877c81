package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
)

// deed is what a command did to whom, for programs: one line of JSON. The numbers are there
// where something could have ended.
type deed struct {
	Did         string `json:"did"` // the command's words, such as "user block"
	Org         string `json:"org,omitempty"`
	Subject     string `json:"subject,omitempty"`
	Username    string `json:"username,omitempty"`
	Connection  string `json:"connection,omitempty"`
	Client      string `json:"client,omitempty"`
	Approval    string `json:"approval,omitempty"`
	Session     string `json:"session,omitempty"`
	Review      string `json:"review,omitempty"`
	Token       string `json:"token_id,omitempty"` // of the API
	Server      string `json:"server,omitempty"`
	Tool        string `json:"tool,omitempty"`
	Digest      string `json:"digest,omitempty"`
	Connections *int   `json:"connections_ended,omitempty"`
	Approvals   *int   `json:"approvals_ended,omitempty"`
	Sessions    *int   `json:"sessions_ended,omitempty"`
	Pseudonym   string `json:"pseudonym,omitempty"` // of who was erased, in the audit log
	Entries     *int   `json:"entries_erased,omitempty"`
	Destination string `json:"destination,omitempty"` // of exports
	Position    *int64 `json:"position,omitempty"`    // number of the last entry that it counts as having
	Log         string `json:"log,omitempty"`         // an audit log
	Person      string `json:"person,omitempty"`      // of the company, as an entry names them
	Target      string `json:"target,omitempty"`      // of notices
	File        string `json:"file,omitempty"`        // or directory: what was written
	Count       *int64 `json:"entries,omitempty"`     // of the audit log: how many were written, or removed
	Segments    *int   `json:"segments,omitempty"`    // of the audit log
	Place       string `json:"place,omitempty"`       // of checkpoints
	Nothing     bool   `json:"nothing,omitempty"`     // there was nothing to do
}

// report says what was done: text to people, d to programs.
func report(cmd *cobra.Command, text string, d deed) error {
	if !printer(cmd).JSON {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return encode(cmd, d)
}

// reportAct is report of an act that returned err: also one that is done and not in the audit log is said to be done. The
// error, and with it exit status 1, stays; it says what is missing.
func reportAct(cmd *cobra.Command, err error, text string, d deed) error {
	if !audit.TookEffect(err) {
		return err
	}
	return errors.Join(report(cmd, text, d), err)
}

// besides is where goes what people are told beside that: with --json not among the objects.
func besides(cmd *cobra.Command) io.Writer {
	if printer(cmd).JSON {
		return cmd.ErrOrStderr()
	}
	return cmd.OutOrStdout()
}

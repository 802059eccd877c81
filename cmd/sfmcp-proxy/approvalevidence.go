package main

import (
	"errors"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// approvalEvidenceCommand writes the record of one request.
func approvalEvidenceCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
		Use: "evidence APPROVAL", Short: "All that is known of one call, from asking to what Salesforce answered",
		Long: `evidence makes one record of a call that waited: who asked, who looked at it, who decided and by
which proof of who they are, its arguments and digests, what Salesforce answered, and the entries of the
audit log that say so, each with the command that proves it. That it was read is itself in the audit log.`,
		Args: usageArgs(cobra.ExactArgs(1))}, approvalEvidence)
	jsonFlag(cmd)
	cmd.Flags().String("as", "", "who reads it: a name for the audit log, beside that of the operator")
	return cmd
}

func approvalEvidence(s *stores, cmd *cobra.Command, args []string) error {
	by, err := decider(cmd)
	if err != nil {
		return err
	}
	record, err := s.newDecisions().Evidence(cmd.Context(), by, args[0])
	if errors.Is(err, approval.ErrNotFound) {
		return noApproval(args[0])
	}
	if err != nil {
		return err
	}
	return printer(cmd).Evidence(record)
}

// approvalExportCommand writes a register of many requests.
func approvalExportCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
		Use: "export", Short: "A register of the calls that began to wait in a time, one line each",
		Long: `export lists the calls that began to wait in a time, from the audit log: who asked for what, by which
rule, who decided when, and what became of it. It has no arguments, but their digest. As CSV, cells that
a spreadsheet would take for a formula begin with an apostrophe.`,
		Args: usageArgs(cobra.NoArgs)}, approvalExport)
	cmd.Flags().String("since", "30d", "from then on: "+timeForms)
	cmd.Flags().String("until", "", "up to then: "+timeForms)
	cmd.Flags().Bool("csv", false, "a table with a line of headings: what is written unless --json is given")
	jsonFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("csv", "json")
	return cmd
}

func approvalExport(s *stores, cmd *cobra.Command, _ []string) error {
	var when audit.Filter
	if err := setTimes(&when, cmd.Flag("since").Value.String(), cmd.Flag("until").Value.String(), s.now()); err != nil {
		return usageError{err}
	}
	all, err := s.newDecisions().Register(cmd.Context(), when)
	if err != nil {
		return err
	}
	return printer(cmd).Register(all)
}

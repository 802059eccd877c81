package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/export"
)

func auditExportCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{
		Use: "export", Short: "Every entry, oldest first, as JSON lines, CSV or OCSF",
		Long: `export writes entries to the standard output, oldest first, one a line: as the log has
them (jsonl), for spreadsheets (csv: no cell is taken for a formula), or as events of the
Open Cybersecurity Schema Framework ` + export.OCSFVersion + ` (ocsf). What they say about people is read as
far as the database has their keys. That they are exported is an entry, too: the first of
what the next export has more. Of a log that was cut or changed what is left is exported, and the status is 1.

To send entries somewhere as they are written, name destinations under exports.`,
		Args: usageArgs(cobra.NoArgs),
	}, wholeLog(exportAudit))
	auditFlags(cmd)
	jsonFlag(cmd) // the format is JSON lines unless another is asked for
	rawFlag(cmd)
	cmd.Flags().String("format", string(export.JSON), "one of "+listed(export.Formats()))
	return cmd
}

func exportAudit(s *stores, cmd *cobra.Command, _ []string) error {
	format := export.Format(cmd.Flags().Lookup("format").Value.String())
	raw, _ := cmd.Flags().GetBool("raw")
	switch {
	case !slices.Contains(export.Formats(), format):
		return usageError{fmt.Errorf("--format: no format %q: %s", string(format), listed(export.Formats()))}
	case format != export.JSON && raw:
		return usageError{errors.New("--raw and --format exclude each other: a record byte for byte is JSON")}
	case format != export.JSON && printer(cmd).JSON:
		return usageError{errors.New("--json and --format " + string(format) + " exclude each other")}
	}
	filter, err := s.auditFilter(cmd)
	if err != nil {
		return err
	}
	if filter, err = s.readLog(cmd, audit.LogExport, "entries", filter); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	switch {
	case raw:
		return s.audit.ExportRecords(cmd.Context(), filter, out)
	case format == export.JSON:
		return s.audit.Export(cmd.Context(), filter, out)
	}
	return exporting{s}.exportAs(cmd, format, filter, out)
}

// exportAs writes entries in another format than that of the log.
func (s exporting) exportAs(cmd *cobra.Command, format export.Format, filter audit.Filter, out io.Writer) error {
	if head := format.Head(); head != "" {
		if _, err := fmt.Fprintln(out, head); err != nil {
			return err
		}
	}
	log, _ := s.audit.Heard()
	w := export.Writer{Format: format, Log: log, Version: version, Arguments: true}
	return s.audit.List(cmd.Context(), filter, func(e audit.Entry) error {
		line, err := w.Line(e)
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		return err
	})
}

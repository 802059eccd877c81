package export

import (
	"bytes"
	"fmt"
	"strconv"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
)

// Format is how an entry is written, one a line.
type Format string

// The formats.
const (
	JSON Format = "jsonl" // as the log has them, with the log's name in front
	CSV  Format = "csv"   // safe to open in a spreadsheet
	OCSF Format = "ocsf"  // Open Cybersecurity Schema Framework, see [OCSFVersion]
)

// Formats are all of them.
func Formats() []Format { return []Format{JSON, CSV, OCSF} }

// Head is the first line of a file of such entries; "": there is none.
func (f Format) Head() string {
	if f == CSV {
		return csvHead()
	}
	return ""
}

// suffix is what the name of a file of such entries ends in.
func (f Format) suffix() string {
	if f == CSV {
		return "csv"
	}
	return "jsonl"
}

// Writer writes entries of one log.
type Writer struct {
	Format  Format
	Log     string // its name
	Version string // of this program, for OCSF
	// Arguments says whether the arguments of calls are written.
	Arguments bool
}

// Line is an entry on one line, without its break.
func (w Writer) Line(e audit.Entry) ([]byte, error) {
	if !w.Arguments {
		e.Arguments, e.Sent = nil, nil
	}
	switch w.Format {
	case CSV:
		return csvLine(w.Log, &e)
	case OCSF:
		return w.ocsf(&e)
	}
	text, err := e.MarshalJSON()
	if err != nil {
		return nil, err
	}
	// Who takes this member out has the line that 'audit export' prints.
	return append(append(append([]byte(`{"log":`), strconv.Quote(w.Log)...), ','), bytes.TrimPrefix(text, []byte("{"))...), nil
}

// Key names an entry wherever it comes. A log's name is random, so no two logs share one.
func Key(log string, seq int64) string { return fmt.Sprintf("%s/%d", log, seq) }

// record is an entry as a destination gets it.
func (w Writer) record(e audit.Entry) (destination.Record, error) {
	text, err := w.Line(e)
	return destination.Record{Key: Key(w.Log, e.Seq), Seq: e.Seq, At: e.At, Event: string(e.Action), Severity: severityOf(&e), Text: text}, err
}

// alarming are actions that somebody should look at whatever their outcome.
var alarming = map[audit.Action]bool{
	audit.GrantReplay: true, audit.LogAcknowledge: true, audit.LogCut: true, audit.LogClock: true, audit.StoreTamper: true, audit.BudgetAlarm: true,
}

// severityOf is how much an entry asks for attention.
func severityOf(e *audit.Entry) destination.Severity {
	switch {
	case alarming[e.Action] || e.Outcome == audit.Unknown:
		return destination.Critical
	case e.Outcome == audit.Failed:
		return destination.Warning
	case e.Outcome == audit.Denied:
		return destination.Notice
	}
	return destination.Informational
}

package listing

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/salesforce"
)

// auditRow answers who did what to what, what was decided, and how it ended.
type auditRow struct {
	At      string `col:"TIME"`
	Seq     int64  `col:"SEQ"`
	Who     string `col:"WHO" fit:"line"`
	What    string `col:"WHAT" fit:"line"`
	Result  string `col:"RESULT" fit:"line"`
	About   string `col:"ABOUT" fit:"line,id"`
	Request string `col:"REQUEST"`
	Rows    string `col:"ROWS" fit:"drop"`
	Why     string `col:"WHY" fit:"cut,drop"`
}

// newAuditRow makes a line for people: the name they know, the record if there is one, and why
// if there is a why.
func newAuditRow(e audit.Entry) auditRow {
	row := auditRow{shortTime(e.At), e.Seq, e.Actor.String(), string(e.Action), string(e.Outcome), about(e), e.RequestID, "", cmp.Or(e.Reason, e.Rule)}
	if e.Rows != nil {
		row.Rows = strconv.FormatInt(*e.Rows, 10)
	}
	if e.Username != "" && e.Actor == actor.User(e.Subject) {
		row.Who = e.Username
	}
	if e.Tool != "" {
		row.What = e.Tool
	}
	if e.Decision != "" {
		row.Result = string(e.Decision) + ", " + row.Result
	}
	return row
}

// about is what an entry tells of: the records that were read, made or changed, or that a
// call names, else the person whom somebody else did something to, else its object.
func about(e audit.Entry) string {
	if len(e.Records) > 0 && len(e.Records[0].IDs) > 0 {
		return counted(e.Records[0].IDs[0], e.RecordsTotal)
	}
	if ids := recordsIn(e.Arguments); len(ids) > 0 {
		return counted(ids[0], int64(len(ids)))
	}
	if e.Subject != "" && e.Actor != actor.User(e.Subject) {
		return cmp.Or(e.Username, e.Subject)
	}
	if e.Object != e.Tool {
		return e.Object
	}
	return ""
}

// counted is the first of so many ids, and how many others there are.
func counted(first string, all int64) string {
	if all > 1 {
		return fmt.Sprintf("%s +%d", first, all-1)
	}
	return first
}

// recordsIn are the Salesforce ids that arguments consist of, in the order of their names.
func recordsIn(arguments json.RawMessage) (ids []string) {
	var value any
	if len(arguments) == 0 || json.Unmarshal(arguments, &value) != nil {
		return nil
	}
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			if id, err := salesforce.NormalizeID(x); err == nil && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		case []any:
			for _, item := range x {
				walk(item)
			}
		case map[string]any:
			for _, name := range sortedKeys(x) {
				walk(x[name])
			}
		}
	}
	walk(value)
	return ids
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// shortTime leaves out the year where it is the present one.
func shortTime(t time.Time) string {
	if t.Local().Year() == time.Now().Year() {
		return t.Local().Format("01-02 15:04:05")
	}
	return localTime(t)
}

// Entries prints entries of the audit log; each is one that list gives to its function.
func (p Printer) Entries(list func(func(audit.Entry) error) error) error {
	if p.JSON {
		enc := p.encoder()
		return list(func(e audit.Entry) error { return enc.Encode(e) })
	}
	var all []auditRow
	if err := list(func(e audit.Entry) error {
		all = append(all, newAuditRow(e))
		return nil
	}); err != nil {
		return err
	}
	return rows(p, all)
}

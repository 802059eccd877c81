package listing

import (
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

type auditRow struct {
	At      moment `col:"TIME"`
	Seq     int64  `col:"SEQ"`
	Actor   string `col:"ACTOR"`
	Action  string `col:"ACTION"`
	Client  string `col:"CLIENT"`
	Server  string `col:"SERVER"`
	Tool    string `col:"TOOL"`
	Outcome string `col:"OUTCOME"`
	Object  string `col:"OBJECT"`
	Reason  string `col:"WHY"`
}

// newAuditRow makes a line for people: the name they know, and why if there is a why.
func newAuditRow(e audit.Entry) auditRow {
	row := auditRow{moment{e.At}, e.Seq, e.Actor.String(), string(e.Action), e.Client, e.Server, e.Tool, string(e.Outcome), e.Object, e.Reason}
	if e.Username != "" && e.Actor == actor.User(e.Subject) {
		row.Actor = e.Username
	}
	if row.Object == row.Tool {
		row.Object = ""
	}
	if row.Reason == "" {
		row.Reason = e.Rule
	}
	return row
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

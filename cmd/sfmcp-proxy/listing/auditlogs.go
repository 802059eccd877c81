package listing

import (
	"time"

	"sfmcp-proxy/authproxy/audit/roster"
)

type auditLogRow struct {
	Log     string `json:"log" col:"LOG"`
	Host    string `json:"host" col:"HOST" fit:"line,late"`
	State   string `json:"state" col:"STATE"`
	Entries int64  `json:"entries" col:"ENTRIES"` // by its checkpoint in the database
	Heard   moment `json:"heard_at" col:"LAST HEARD"`
	Joined  moment `json:"joined_at" col:"JOINED" fit:"drop"`
	Closed  moment `json:"closed_at" col:"CLOSED" fit:"drop"`
	By      string `json:"closed_by,omitempty" col:"BY" fit:"drop"`
	Why     string `json:"closed_why,omitempty" col:"WHY" fit:"drop"`
}

// AuditLogs prints the audit logs of all replicas.
func (p Printer) AuditLogs(list []roster.Log) error {
	all := make([]auditLogRow, len(list))
	for i, l := range list {
		all[i] = auditLogRow{Log: l.Origin, Host: l.Host, State: "open", Entries: l.Entries, Heard: moment{l.HeardAt}, Joined: moment{l.JoinedAt}, Closed: moment{time.Time{}}}
		if c := l.Closed; c != nil {
			all[i].State, all[i].Closed, all[i].By, all[i].Why = "closed", moment{c.At}, c.By.String(), c.Why
		}
	}
	return rows(p, all)
}

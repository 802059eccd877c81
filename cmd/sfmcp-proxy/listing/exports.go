package listing

import "time"

// Export is how a destination of the audit log is doing.
type Export struct {
	Name, Kind string
	Log        string
	Position   int64
	// Behind is how many entries it has not taken, Oldest when the first of them was written.
	Behind   int64
	Oldest   time.Time
	Sent     time.Time
	Failures int64
	Problem  string
}

type exportRow struct {
	Name     string `json:"name" col:"NAME" fit:"line,late"`
	Kind     string `json:"kind" col:"KIND"`
	Log      string `json:"log" col:"LOG" fit:"drop"`
	Position int64  `json:"position" col:"POSITION"`
	Behind   int64  `json:"behind" col:"BEHIND"`
	Oldest   moment `json:"oldest_at" col:"OLDEST" fit:"drop"`
	Sent     moment `json:"sent_at" col:"LAST SENT" fit:"spare"`
	Failures int64  `json:"failures" col:"FAILURES" fit:"drop"`
	Problem  string `json:"problem" col:"PROBLEM" fit:"line,late"`
}

// Exports prints how destinations are doing.
func (p Printer) Exports(list []Export) error {
	all := make([]exportRow, len(list))
	for i, e := range list {
		all[i] = exportRow{e.Name, e.Kind, e.Log, e.Position, e.Behind, moment{e.Oldest}, moment{e.Sent}, e.Failures, e.Problem}
	}
	return rows(p, all)
}

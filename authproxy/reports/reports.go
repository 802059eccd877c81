package reports

import (
	"time"

	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

// Report is what happened in a time. Times are UTC.
type Report struct {
	Made    time.Time `json:"made"`
	By      string    `json:"by"`
	Version string    `json:"version"` // of the program
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // before then

	Log    Log     `json:"log"`
	Counts []Count `json:"counts"`

	People      Rows[Person]   `json:"people"`
	Tools       Rows[Tool]     `json:"tools"`
	Denials     Rows[Denial]   `json:"denials"`
	Deciding    Rows[Deciding] `json:"deciding"`
	Approvals   Rows[Approval] `json:"approvals"`
	Masked      Rows[Masked]   `json:"masked"`
	Readers     Rows[Reader]   `json:"readers"`
	Dormant     Rows[Dormant]  `json:"dormant"`
	Changes     Rows[Event]    `json:"configuration_changes"`
	Definitions Rows[Event]    `json:"definition_changes"`
	Stops       Rows[Event]    `json:"stops_and_blocks"`
}

// Log says which part of the audit log the report is made from.
type Log struct {
	First   int64     `json:"first"` // number of the first entry that was counted; 0: there was none
	Last    int64     `json:"last"`
	Entries int64     `json:"entries"`
	Begins  time.Time `json:"begins,omitzero"` // the oldest entry that the log still has
	// Missing are sentences: what the log does not hold, or could not be read of it.
	Missing []string `json:"missing"`
}

// Count is one number of the summary.
type Count struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
	How   string `json:"how"` // how it was counted
}

// Rows are the first rows of a list.
type Rows[T any] struct {
	How   string `json:"how"`   // how they were counted, and in which order they are
	Total int    `json:"total"` // how many there are, shown or not
	Rows  []T    `json:"rows"`
}

// Who is a Salesforce user. Of somebody who was erased Subject is a pseudonym.
type Who struct {
	Org      string `json:"org,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Username string `json:"username,omitempty"`
}

// Name is the user name, or the id where there is none.
func (w Who) Name() string {
	if w.Username != "" {
		return w.Username
	}
	return w.Subject
}

// Person is what one user's calls came to.
type Person struct {
	Who
	Calls   int64     `json:"calls"`
	Writes  int64     `json:"writes"` // of them, that were sent and are no read
	Denied  int64     `json:"denied"`
	Held    int64     `json:"held"`
	Failed  int64     `json:"failed"`
	Servers []string  `json:"servers"`
	Clients []string  `json:"clients"`
	Tools   int       `json:"tools"` // how many different ones
	Last    time.Time `json:"last"`
}

// Tool is what calls of one tool came to.
type Tool struct {
	Server string    `json:"server"`
	Tool   string    `json:"tool"`
	Class  string    `json:"class,omitempty"` // of its last call
	Calls  int64     `json:"calls"`
	Denied int64     `json:"denied"`
	Held   int64     `json:"held"`
	Failed int64     `json:"failed"`
	People int       `json:"people"`
	Last   time.Time `json:"last"`
}

// Denial is what one rule denied.
type Denial struct {
	Server    string    `json:"server"`
	Rule      string    `json:"rule"` // empty: no rule matched, or the call was refused before any was asked
	Calls     int64     `json:"calls"`
	People    int       `json:"people"`
	Reasons   []Reason  `json:"reasons"` // the most frequent first
	Last      time.Time `json:"last"`
	LastEntry int64     `json:"last_entry"`
}

// Reason is one reason and how often it was given.
type Reason struct {
	Text  string `json:"text"`
	Calls int64  `json:"calls"`
}

// Deciding is how the calls that waited were decided, all of them, by rule, or by who decided.
type Deciding struct {
	Of        insights.Kind `json:"of"`
	Name      string        `json:"name,omitempty"`
	Held      int           `json:"held"`
	Approved  int           `json:"approved"`
	Denied    int           `json:"denied"`
	Countered int           `json:"countered"`
	Expired   int           `json:"expired"`
	Waiting   int           `json:"waiting"`
	MedianMS  int64         `json:"median_ms"`
	P95MS     int64         `json:"p95_ms"`
	Habit     bool          `json:"habit"` // approving seems to have become one
}

// Approval is one call that began to wait.
type Approval struct {
	Approval string `json:"approval"`
	Who
	Server  string    `json:"server"`
	Tool    string    `json:"tool"`
	Rule    string    `json:"rule"`
	Asked   time.Time `json:"asked"`
	Decided time.Time `json:"decided,omitzero"`
	By      string    `json:"decided_by,omitempty"`
	Result  string    `json:"result,omitempty"`  // approved, agreed (others are still asked), denied, countered
	Outcome string    `json:"outcome,omitempty"` // of the call itself
}

// Masked is how much was hidden in the answers of one tool.
type Masked struct {
	Server string `json:"server"`
	Tool   string `json:"tool"`
	Calls  int64  `json:"calls"`  // with anything hidden or left out
	Hidden int64  `json:"hidden"` // values
	Cut    int64  `json:"cut"`    // records
}

// Reader is how many records one user was given.
type Reader struct {
	Who
	Records      int64 `json:"records"`
	Calls        int64 `json:"calls"`         // that gave any
	Largest      int64 `json:"largest"`       // records in one answer
	LargestEntry int64 `json:"largest_entry"` // the entry of that answer
}

// Dormant is a connection that is alive and was not used.
type Dormant struct {
	Connection string `json:"connection"`
	Who
	Client   string    `json:"client"`
	Server   string    `json:"server"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"` // zero: never
}

// Event is that something was changed.
type Event struct {
	Entry   int64         `json:"entry"`
	At      time.Time     `json:"at"`
	By      string        `json:"by"`
	Action  audit.Action  `json:"action"`
	Object  string        `json:"object,omitempty"`
	Server  string        `json:"server,omitempty"`
	Outcome audit.Outcome `json:"outcome"`
	Text    string        `json:"text,omitempty"`
}

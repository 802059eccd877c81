package notice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy"
)

// Event is what a message is about.
type Event string

// The events, by the names under which webhooks get them.
const (
	Requested Event = "approval.requested" // a call waits for a person
	Decided   Event = "approval.decided"   // it was decided, or its time is over
	Alarm     Event = "budget.used"        // a budget is nearly or wholly used
)

// Waiting is a request that waits for a decision, as far as targets are chosen by it.
type Waiting struct {
	ID    string
	Again int      // how often it has come to wait again
	Roles []string // who decides; empty: the requester
}

// Message is one message, as its readers get it. Texts of others (tools, objects, clients)
// are bounded and printable.
type Message struct {
	ID    string // of the message: the same in every attempt
	Event Event
	At    time.Time

	Approval string // id of the request; of the following, what concerns requests
	Again    int    // how often it has come to wait again after it was approved
	Reopened string // why it last did: lapsed, changed; "": it never did
	URL      string // of its page
	Org      string
	Kind     string // of the org: production, sandbox, scratch
	Server   string
	Tool     string
	Class    policy.Class
	Object   string // "": none is known
	User     string // who asks
	Client   string // through which
	Roles    []string
	Expires  time.Time
	State    string // Decided: approved, denied, expired …
	By       string // who decided; "": nobody

	Budget string // Alarm: its name
	Text   string // Alarm: what is to be said
}

// Title is one line.
func (m *Message) Title() string {
	if m.Event == Alarm {
		return "Budget " + m.Budget + ": " + m.Text
	}
	what := verb[m.Class]
	if what == "" {
		what = "A call"
	}
	if m.Object != "" {
		what += " of " + m.Object
	}
	if m.Kind == "production" {
		what += " in PRODUCTION"
	}
	if m.Event == Decided {
		return what + " for " + m.User + ": " + m.State
	}
	if m.Again > 0 {
		return what + " waits for approval again"
	}
	return what + " waits for approval"
}

// reopened says for people why a request waits again.
var reopened = map[string]string{
	"lapsed":  "it was approved, and somebody who agreed may no longer do so",
	"changed": "it was approved, and the record has changed in Salesforce since",
}

var verb = map[policy.Class]string{policy.Create: "Creation", policy.Update: "Change", policy.Delete: "Deletion", policy.Admin: "Administration"}

// Lines say the rest, a name and a value each.
func (m *Message) Lines() (lines [][2]string) {
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, [2]string{name, value})
		}
	}
	if m.Event == Alarm {
		return nil
	}
	add("Asked by", m.User)
	add("Through", m.Client)
	add("Tool", m.Tool)
	add("Server", m.Server)
	add("Org", strings.TrimSpace(m.Org+" "+bracketed(m.Kind)))
	if m.Event == Decided {
		add("Decided by", m.By)
		return lines
	}
	add("Again", reopened[m.Reopened])
	add("Decided by", m.deciders())
	add("Until", m.Expires.UTC().Format("2006-01-02 15:04 MST"))
	return lines
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// deciders says who decides about a request.
func (m *Message) deciders() string {
	if len(m.Roles) == 0 {
		return "the user who asks"
	}
	roles := slices.Clone(m.Roles)
	slices.Sort(roles)
	return "role " + strings.Join(slices.Compact(roles), ", ")
}

// Plain is the message as text, for mail.
func (m *Message) Plain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", m.Title())
	for _, line := range m.Lines() {
		fmt.Fprintf(&b, "%-12s %s\n", line[0]+":", line[1])
	}
	if m.URL != "" {
		fmt.Fprintf(&b, "\nThe page shows the call in full and needs a sign-in:\n%s\n", m.URL)
	}
	return b.String()
}

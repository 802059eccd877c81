package review

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// Use is how often somebody called a tool, and when last.
type Use struct {
	Tool  string    `json:"tool"`
	Calls int64     `json:"calls"`
	Last  time.Time `json:"last"`
}

// Facts are what an item says of a person and a server, as they were when the review began.
type Facts struct {
	Connections int       `json:"connections"` // alive; 0: they may connect and have not
	Granted     time.Time `json:"granted,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"`
	Groups      []string  `json:"groups,omitempty"` // by which they may use the server
	// Used are the tools whose calls were sent, or waited for a person, in the time; the most
	// frequent first. Unused are those that they see and did not call. Lists are cut; the numbers
	// are not.
	Used        []Use    `json:"used"`
	UsedTotal   int      `json:"used_total"`
	Unused      []string `json:"unused"`
	UnusedTotal int      `json:"unused_total"`
}

// MaxTools is how many tools an item names in each of its lists, so that it fits into an entry.
const MaxTools = 40

// NewFacts cuts the lists.
func NewFacts(f Facts) Facts {
	slices.SortFunc(f.Used, func(a, b Use) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Tool, b.Tool)) })
	slices.Sort(f.Unused)
	f.UsedTotal, f.UnusedTotal = len(f.Used), len(f.Unused)
	f.Used = append([]Use{}, f.Used[:min(len(f.Used), MaxTools)]...)
	f.Unused = append([]string{}, f.Unused[:min(len(f.Unused), MaxTools)]...)
	return f
}

// Of names an item: a person and a server.
type Of struct {
	Org     string `json:"org"`
	Subject string `json:"subject"` // a pseudonym, if the person was erased
	Server  string `json:"server"`
}

// Item is one person's access to one server.
type Item struct {
	Of
	Username string `json:"username,omitempty"`
	Entry    int64  `json:"entry"` // of the log, that has it
	Facts
	// Erased: what the item said about the person can be read by nobody any more.
	Erased   bool      `json:"erased,omitempty"`
	Decision *Decision `json:"decision,omitempty"` // that stands; nil: none yet
	Earlier  int       `json:"earlier_decisions,omitempty"`
}

// Name is what people call whom the item is about.
func (i *Item) Name() string { return cmp.Or(i.Username, i.Subject) }

// Decision is one that was taken about an item.
type Decision struct {
	Entry  int64          `json:"entry"`
	At     time.Time      `json:"at"`
	By     string         `json:"by"`
	What   audit.Decision `json:"decision"` // keep or revoke
	Reason string         `json:"reason"`
	// Ended is how many connections a revoke ended; nil: it is not known, or nothing was revoked.
	Ended *int `json:"connections_ended,omitempty"`
	// Incomplete: access ended here, and something about it failed.
	Incomplete bool `json:"incomplete,omitempty"`
}

// revoked is what the entry of a revoke says besides.
type revoked struct {
	Ended *int `json:"connections_ended"`
}

// Revoked are the arguments of the entry that a revoke ended so many connections.
func Revoked(ended int) (json.RawMessage, error) { return json.Marshal(revoked{&ended}) }

// Review is one review. Times are UTC.
type Review struct {
	ID    string    `json:"review"`
	Begun time.Time `json:"begun"`
	By    string    `json:"by"`
	Entry int64     `json:"entry"`
	Scope
	Items []*Item `json:"items,omitempty"`

	byOf map[Of]*Item
}

// Scope is what a review is about.
type Scope struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // before then
	// Servers are those of the review; Unknown those whose tools nobody has listed yet, so that
	// nothing of them can be said to be unused.
	Servers []string `json:"servers"`
	Unknown []string `json:"servers_without_tools,omitempty"`
	Items   int      `json:"number_of_items"`
	// OtherLogs are the machines of other audit logs that may have calls of the time: of what was used there an item
	// has only when its connections were last used.
	OtherLogs []string `json:"other_logs,omitempty"`
}

// Idle reports whether nobody has decided about an item and nobody used the access from the beginning of the review's
// time until the review began, by its calls, and by its connections: one that was made or used in that time or later
// is in use, also where another log has the calls. unwritten is how much later a connection may have been used than
// what the item says. Of a person who was erased, and of a server whose tools nobody has listed, it is not known.
func (r *Review) Idle(i *Item, unwritten time.Duration) bool {
	return i.Decision == nil && i.UsedTotal == 0 && !i.Erased && !slices.Contains(r.Unknown, i.Server) && !r.Uses(i.Granted, i.LastUsed, unwritten)
}

// Uses says whether a connection that was made and last used then, is used in the time of the review or after it; last
// use is known only to be less than unwritten before what is true.
func (r *Review) Uses(granted, lastUsed time.Time, unwritten time.Duration) bool {
	return !granted.IsZero() && !granted.Before(r.Since) || !lastUsed.IsZero() && !lastUsed.Add(unwritten).Before(r.Since)
}

// Open is how many items nobody has decided about.
func (r *Review) Open() (n int) {
	for _, i := range r.Items {
		if i.Decision == nil {
			n++
		}
	}
	return n
}

// Find returns an item; nil: there is none.
func (r *Review) Find(of Of) *Item { return r.byOf[of] }

// add puts an item in; of two about the same the first counts.
func (r *Review) add(i *Item) {
	if r.byOf == nil {
		r.byOf = map[Of]*Item{}
	}
	if r.byOf[i.Of] == nil {
		r.byOf[i.Of] = i
		r.Items = append(r.Items, i)
	}
}

// Reader makes reviews of the entries of the noun review, which it is given oldest first.
type Reader struct {
	all    []*Review
	begun  map[int64]*Review // by the number of the entry that it was about to begin
	byName map[string]*Review
}

// Reviews are those that have begun, oldest first.
func (r *Reader) Reviews() (all []*Review) {
	for _, one := range r.all {
		slices.SortFunc(one.Items, func(a, b *Item) int {
			return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Subject, b.Subject))
		})
	}
	return r.all
}

// Add takes an entry. What was about to begin and has not, counts as nothing.
func (r *Reader) Add(e audit.Entry) {
	if r.begun == nil {
		r.begun, r.byName = map[int64]*Review{}, map[string]*Review{}
	}
	switch e.Action {
	case audit.ReviewBegin:
		r.addBegin(e)
	case audit.ReviewInclude:
		if begun := r.begun[e.IntentSeq]; begun != nil && e.Outcome == audit.OK {
			i := &Item{Of: Of{e.Org, e.Subject, e.Server}, Username: e.Username, Entry: e.Seq, Erased: e.Personal != ""}
			if err := json.Unmarshal(e.Arguments, &i.Facts); err != nil && !i.Erased {
				i.Erased = true // nothing can be read of it
			}
			begun.add(i)
		}
	case audit.ReviewDecide:
		one := r.byName[e.Object]
		if one == nil || e.Outcome != audit.OK && e.Outcome != audit.Failed {
			return
		}
		if i := one.Find(Of{e.Org, e.Subject, e.Server}); i != nil {
			if i.Decision != nil {
				i.Earlier++
			}
			i.Decision = &Decision{Entry: e.Seq, At: e.At, By: e.Actor.String(), What: e.Decision, Reason: e.Reason, Incomplete: e.Outcome == audit.Failed}
			var says revoked
			if len(e.Arguments) > 0 && json.Unmarshal(e.Arguments, &says) == nil {
				i.Decision.Ended = says.Ended
			}
		}
	}
}

func (r *Reader) addBegin(e audit.Entry) {
	switch e.Outcome {
	case audit.Intent:
		r.begun[e.Seq] = &Review{ID: e.Object}
	case audit.OK:
		one := r.begun[e.IntentSeq]
		if one == nil || r.byName[e.Object] != nil || json.Unmarshal(e.Arguments, &one.Scope) != nil {
			return
		}
		one.Begun, one.By, one.Entry = e.At, e.Actor.String(), e.Seq
		r.byName[e.Object], r.all = one, append(r.all, one)
		delete(r.begun, e.IntentSeq)
	}
}

package ui

// Current is what Salesforce has at the moment of what a call would change.
type Current struct {
	// Missing says in a sentence why it is not known; empty: it is, and the rest is set.
	Missing string
	Held    bool   // the call is held again if the record is another one when it is made
	Creates bool   // Records are called what the call would call a new one
	Read    string // when
	Fields  []CurrentField
	Unread  int // further values that the call sets, which are not compared
	Records []CurrentRecord
}

// CurrentField is one field before and after a call, passed through [Visible].
type CurrentField struct {
	Name, Now, Then string
	Same            bool // the call changes nothing of it
	Hidden          bool // by the rules: Now is not known
}

// CurrentRecord is a record that there is.
type CurrentRecord struct {
	ID, Name string
	Address  string // of its page in Salesforce; empty: not known
}

// First are the fields that come first: those that change, as many as stand in view.
func (c *Current) First() []CurrentField { return c.ordered()[:min(len(c.Fields), argumentsInView)] }

// Rest are the fields after those.
func (c *Current) Rest() []CurrentField { return c.ordered()[min(len(c.Fields), argumentsInView):] }

func (c *Current) ordered() (all []CurrentField) {
	for _, same := range []bool{false, true} {
		for _, f := range c.Fields {
			if f.Same == same {
				all = append(all, f)
			}
		}
	}
	return all
}

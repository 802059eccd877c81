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
	// Hanging is what hangs on a record that would be deleted, and Uncounted are the relations to
	// further such records, which were not read.
	Hanging   []CurrentChildren
	Uncounted []string
}

// CurrentField is one field before and after a call, passed through [Visible].
type CurrentField struct {
	Name, Now, Then string
	Same            bool // the call changes nothing of it
	Hidden          bool // by the rules: Now is not known
	// NowRecord and ThenRecord are the records whose ids these are; nil: they are none.
	NowRecord, ThenRecord *CurrentRecord
}

// CurrentRecord is a record that there is. Without a name it could not be read.
type CurrentRecord struct {
	ID, Name string
	Object   string // empty: not known
	Address  string // of its page in Salesforce; empty: not known
}

// CurrentChildren is how many records hang on one behind a relation; More: there are more.
type CurrentChildren struct {
	Relation string
	Count    int
	More     bool
}

// None are the relations behind which nothing hangs.
func (c *Current) None() (relations []string) {
	for _, children := range c.Hanging {
		if children.Count == 0 {
			relations = append(relations, children.Relation)
		}
	}
	return relations
}

// Some reports whether anything hangs on the record, as far as that was counted.
func (c *Current) Some() bool { return len(c.None()) < len(c.Hanging) }

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

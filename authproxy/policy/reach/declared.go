package reach

import (
	"fmt"
	"slices"
	"strconv"
)

// Declaration is what an operator says of one tool of a custom server, whose name says
// nothing: an administrator may put any Apex or Flow behind any. It is believed.
type Declaration struct {
	// Tool is its exact name.
	Tool string `mapstructure:"tool" need:"value"`
	// Class is its effect class. It may be left out for a tool with one of the names in
	// [RESTTools].
	Class Class `mapstructure:"class" need:"value"`
	// SOQL and SOSL are the arguments that hold a query, or a search.
	SOQL string `mapstructure:"soql" need:"value"`
	SOSL string `mapstructure:"sosl" need:"value"`
	// Object is the argument that names an object, ID the one that names a record of it, and
	// Record the one that holds the fields of a record, as a JSON object.
	Object string `mapstructure:"object" need:"value"`
	ID     string `mapstructure:"id" need:"value"`
	Record string `mapstructure:"record" need:"value"`
	// Others are further arguments, which make the tool reach nothing more. With an argument
	// that is declared nowhere, what a call reaches is not known.
	Others []string `mapstructure:"others" need:"value"`
	// NoRecords: it reaches no records at all, or descriptions of the object that it names.
	NoRecords bool `mapstructure:"no_records"`
}

// RESTTools are the names of tools that wrap Salesforce's REST API one by one, as gateways and
// custom servers call them, with what they do. How their arguments are called differs, and is
// declared.
var RESTTools = map[string]Declaration{
	"createRecord":          {Class: Create},
	"getRecord":             {Class: Read},
	"updateRecord":          {Class: Update},
	"deleteRecord":          {Class: Delete},
	"executeQuery":          {Class: Read},
	"executeQueryAll":       {Class: Read},
	"executeSearch":         {Class: Read},
	"executeComposite":      {Class: Unknown},
	"executeBatch":          {Class: Unknown},
	"createBulkJob":         {Class: Unknown},
	"listApiVersions":       {Class: Read, NoRecords: true},
	"listAllObjects":        {Class: Read},
	"describeObject":        {Class: Read, NoRecords: true},
	"getReport":             {Class: Read},
	"getOrganizationLimits": {Class: Read, NoRecords: true},
}

// Complete adds what is known by the name of the tool.
func (d Declaration) Complete() Declaration {
	known := RESTTools[d.Tool]
	if d.Class == "" {
		d.Class = known.Class
	}
	d.NoRecords = d.NoRecords || known.NoRecords && d.Class == Read
	return d
}

// arguments returns the declared names of arguments by their keys.
func (d Declaration) arguments() map[string]string {
	return map[string]string{"soql": d.SOQL, "sosl": d.SOSL, "object": d.Object, "id": d.ID, "record": d.Record}
}

// Validate returns what is wrong with the declaration, each as its key, what stands there and
// what is expected.
func (d Declaration) Validate(hosted string) (wrong [][3]string) {
	add := func(key, found, want string) { wrong = append(wrong, [3]string{key, found, want}) }
	if !ValidName(d.Tool) || OtherKind(d.Tool) != "" {
		add("tool", strconv.Quote(d.Tool), "the exact name of a tool")
	}
	if (Catalogue{Hosted: hosted}).Knows() {
		add("tool", strconv.Quote(d.Tool), "it only for a custom server: the tools of "+hosted+" are known")
	}
	full := d.Complete()
	if !slices.Contains(Classes, full.Class) {
		add("class", strconv.Quote(string(d.Class)), "read, side_effect, create, update, delete, unknown or admin")
	}
	if d.SOQL != "" && d.SOSL != "" {
		add("sosl", strconv.Quote(d.SOSL)+" beside soql", "one of the two")
	}
	if query := d.SOQL + d.SOSL; query != "" && (d.Object+d.ID+d.Record != "" || full.Class != Read && full.Class != SideEffect || d.NoRecords) {
		add("soql", strconv.Quote(query), "a query alone, in a tool of the class read")
	}
	if d.Object == "" && d.Record != "" {
		add("record", strconv.Quote(d.Record)+" without object", "object, the argument that names what it is a record of")
	}
	seen := map[string]bool{}
	for _, name := range append(slices.Clone(d.Others), d.SOQL, d.SOSL, d.Object, d.ID, d.Record) {
		if name != "" && seen[squash(name)] {
			add("tool", fmt.Sprintf("%q with the argument %q twice", d.Tool, name), "it once")
		}
		seen[squash(name)] = true
	}
	return wrong
}

// tool returns what the declaration says in the form of the catalogue.
func (d Declaration) tool() Tool {
	d = d.Complete()
	t := Tool{Classes: []Class{d.Class}, Touch: TouchNamed}
	switch {
	case d.SOQL != "" || d.SOSL != "":
		t.Classes = []Class{Read, SideEffect}
	case d.Object == "" && d.NoRecords:
		t.Touch = TouchNothing
	case d.Object == "" && d.ID == "":
		t.Touch = TouchOpaque
	case d.Class == Create || d.Class == Update || d.Class == Delete:
		t.Classes = []Class{d.Class, Admin}
	}
	t.Unbounded = t.Touch == TouchOpaque
	t.read = d.read
	return t
}

// read reads a call of the tool by what is declared of its arguments.
func (d Declaration) read(f *reading, a arguments) *Refusal {
	parameters := slices.Clone(d.Others)
	for _, name := range d.arguments() {
		if name != "" {
			parameters = append(parameters, name)
		}
	}
	if d.SOQL != "" {
		return f.queryAlone(f.readQuery(a, f.readSOQL, []string{d.SOQL}, d.Others...))
	}
	if d.SOSL != "" {
		return f.queryAlone(f.readQuery(a, f.readSOSL, []string{d.SOSL}, d.Others...))
	}
	f.Class = d.Class
	unknown, refused := a.known(parameters...)
	if refused != nil {
		return refused
	}
	f.unknownParameters(unknown)
	if d.Object == "" && d.ID == "" {
		if !d.NoRecords {
			f.in("", "", nowhere)
			f.unknown(true)
			f.Rows = Unlimited
		}
		return nil
	}
	return d.readRecord(f, a)
}

// readRecord reads a call about the record that its arguments name.
func (d Declaration) readRecord(f *reading, a arguments) *Refusal {
	object, id, refused := d.named(f, a)
	if refused != nil {
		return refused
	}
	switch {
	case d.NoRecords:
		f.reach(object)
		return nil
	case id != "" || d.Class == Create:
		f.record(d.Class, object, id)
	default:
		f.Unnamed = d.ID != "" && f.writes()
	}
	if f.raise(object); d.Object == "" && f.writes() && idAdministers(id) {
		f.administer()
	}
	f.reach(object)
	body, given, refused := a.object(d.Record)
	switch {
	case refused != nil:
		return refused
	case !given || d.Record == "":
		f.reachField(object, Whole)
		return nil
	}
	f.recordArgument = d.Record
	return f.reachBody(object, body, nil)
}

// queryAlone leaves the query as it is: nobody knows whether the tool takes another LIMIT.
func (f *reading) queryAlone(refused *Refusal) *Refusal {
	f.Each = 0
	return refused
}

// named returns the object and the record that the arguments name. The object of a record
// whose object no argument names is that of its key prefix.
func (d Declaration) named(f *reading, a arguments) (object, id string, refused *Refusal) {
	if d.ID != "" {
		if id, _, refused = a.text(d.ID); refused != nil {
			return "", "", refused
		}
	}
	if d.Object != "" {
		if object, refused = a.required(d.Object); refused != nil {
			return "", "", refused
		}
		if !ValidObject(object) {
			return "", "", refuse(textObject)
		}
		object = spelling(object)
		f.in(Named, d.Object, nowhere, object)
		if id != "" {
			refused = checkID(object, id)
		}
		return object, id, refused
	}
	if !ValidID(id) {
		return "", "", refuse("The parameter " + d.ID + " must be a Salesforce record id of 15 or 18 letters and digits.")
	}
	f.in(Named, d.ID, nowhere)
	if object = keyPrefixes[id[:3]]; object == "" {
		object = UnknownObject
		f.OpaqueFields = true
	}
	return object, id, nil
}

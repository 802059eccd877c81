package reach

import (
	_ "embed" // the operations
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file judges execute of Data 360, a meta-tool that hides every operation behind one name.

// operation is what is known of one.
type operation struct {
	class Class
	// records: it reaches records of Data 360. They are copies of records of the org and of
	// others, in objects of its own, so that nobody knows of which.
	records bool
}

//go:embed data360.txt
var data360Text string

var data360 = func() map[string]operation {
	operations := make(map[string]operation)
	for line := range strings.Lines(data360Text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] == "#" {
			continue
		}
		for _, name := range words[2:] {
			operations[name] = operation{Class(words[0]), words[1] == "records"}
		}
	}
	return operations
}()

// data360Classes are the classes that calls of execute can have.
var data360Classes = []Class{Read, Create, Update, Delete, Unknown, Admin}

// readExecute judges a call of execute by the operation that it names, exactly so.
func readExecute(f *reading, a arguments) *Refusal {
	f.opaque()
	f.Argument = "toolName"
	unknown, refused := a.known("toolName", "paramsJson")
	if refused != nil {
		return refused
	}
	name, refused := a.required("toolName")
	if refused != nil {
		return refused
	}
	params, _, refused := a.text("paramsJson")
	if refused != nil {
		return refused
	}
	if params = strings.TrimSpace(params); params != "" {
		if _, refused := parseArguments(jsontext.Value(params)); refused != nil {
			return refuse("The parameter paramsJson must be one JSON object without duplicate names, as a string.")
		}
	}
	o, known := data360[name]
	switch {
	case !known:
		return nil
	case unknown: // what looks like a read may be anything; a write stays what it is
		if f.Class = o.class; o.class == Read {
			f.Class = Unknown
		}
		f.unknownParameters(true)
	case o.records:
		f.Class = o.class
		if o.class != Read {
			f.Rows = 0
		}
	default:
		f.known(o.class)
	}
	return nil
}

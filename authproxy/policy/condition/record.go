package condition

import (
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const textSpellings = "the arguments have two names that differ in case alone"

// record is the arguments, or an object within them, as a value of CEL. Salesforce does not tell names
// of fields apart by case, nor Apex those of inputs, so members are found by names in any.
type record struct {
	traits.Mapper
	members map[string]any
	// written are the names by what they are in lower case, made when a member is asked for;
	// "" stands for several.
	written map[string]string
}

func newRecord(members map[string]any) *record {
	return &record{Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, members), members: members}
}

// folded is what names have in common that [strings.EqualFold] takes for the same.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// Find implements [traits.Mapper].
func (r *record) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return r.Mapper.Find(key)
	}
	if r.written == nil {
		r.written = make(map[string]string, len(r.members))
		for written := range r.members {
			name := folded(written)
			if _, twice := r.written[name]; twice {
				written = ""
			}
			r.written[name] = written
		}
	}
	written, found := r.written[folded(string(name))]
	switch {
	case !found:
		return nil, false
	case written == "" && name != "":
		return types.NewErr(textSpellings), true
	}
	return r.Mapper.Find(types.String(written))
}

// Contains implements [traits.Container].
func (r *record) Contains(key ref.Val) ref.Val {
	value, found := r.Find(key)
	if types.IsError(value) {
		return value
	}
	return types.Bool(found)
}

// Get implements [traits.Indexer].
func (r *record) Get(key ref.Val) ref.Val {
	value, found := r.Find(key)
	if !found {
		return types.NewErr("no such key")
	}
	return value
}

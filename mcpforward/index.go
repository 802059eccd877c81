package mcpforward

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// The index of all objects (getObjectSchema without objects) is a list, and is filtered as lists
// are: it names an object if the caller could have it described.

// maxIndexed bounds the objects in an index; an org has some thousands.
const maxIndexed = 10_000

// indexFilter takes objects out of an index.
type indexFilter struct {
	shows func(object string) bool
	known map[string]bool // what shows said
	lists int             // that were read
	left  int             // objects that were taken out
}

// filterIndex takes those objects out of the result that the caller could not have described. An
// answer of another form than a list of objects cannot be passed on.
func (c *call) filterIndex(result *jsonrpc.Object, o *outcome) error {
	f := &indexFilter{known: map[string]bool{}, shows: func(object string) bool {
		var arguments jsonrpc.Object
		arguments.Set("objects", jsonrpc.Quote(object))
		return c.judgeAs(arguments.Encode()).Effect != policy.Deny
	}}
	if raw, ok := result.Get("content"); ok {
		blocks, err := jsonrpc.ParseArray(raw)
		if err != nil {
			return mask.ErrShape
		}
		for i, raw := range blocks {
			if blocks[i], ok = f.block(raw); !ok {
				return mask.ErrShape
			}
		}
		result.Set("content", jsonrpc.Array(blocks))
	}
	if structured, ok := result.Get("structuredContent"); ok && structured.Kind() != 'n' {
		if structured, ok = f.index(structured); !ok {
			return mask.ErrShape
		}
		result.Set("structuredContent", structured)
	}
	if f.lists == 0 {
		return mask.ErrShape
	}
	if f.left > 0 {
		o.reason = fmt.Sprintf("%d objects that the rules do not allow are left out of the index", f.left)
	}
	return nil
}

// block filters a content block, which must be a text.
func (f *indexFilter) block(raw jsontext.Value) (jsontext.Value, bool) {
	block, err := jsonrpc.ParseObject(raw)
	text, ok := block.String("text")
	if kind, _ := block.String("type"); err != nil || !ok || kind != "text" {
		return nil, false
	}
	index, ok := f.index(jsontext.Value(text))
	if !ok {
		return nil, false
	}
	block.Set("text", jsonrpc.Quote(string(index)))
	return block.Encode(), true
}

// index filters a list of objects, or an object with such lists beside numbers and words.
func (f *indexFilter) index(v jsontext.Value) (jsontext.Value, bool) {
	v, err := jsonrpc.Canonical(v)
	if err != nil {
		return nil, false
	}
	if v.Kind() == '[' {
		return f.list(v)
	}
	o, err := jsonrpc.ParseObject(v)
	if err != nil {
		return nil, false
	}
	for name, member := range o.All() {
		switch member.Kind() {
		case '[':
			list, ok := f.list(member)
			if !ok {
				return nil, false
			}
			o.Set(name, list)
		case '{':
			return nil, false
		}
	}
	return o.Encode(), true
}

// list filters a list of names, or of objects with a name.
func (f *indexFilter) list(v jsontext.Value) (jsontext.Value, bool) {
	entries, err := jsonrpc.ParseArray(v)
	if err != nil || len(entries) > maxIndexed {
		return nil, false
	}
	f.lists++
	kept := entries[:0]
	for _, entry := range entries {
		name, ok := entryName(entry)
		if !ok {
			return nil, false
		}
		shown, known := f.known[name]
		if !known {
			if len(f.known) == maxIndexed {
				return nil, false
			}
			shown = f.shows(name)
			f.known[name] = shown
			if !shown {
				f.left++
			}
		}
		if shown {
			kept = append(kept, entry)
		}
	}
	return jsonrpc.Array(kept), true
}

// entryName is the object that an entry of an index is about.
func entryName(entry jsontext.Value) (name string, ok bool) {
	switch entry.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, entry)
		name, ok = string(text), err == nil
	case '{':
		o, err := jsonrpc.ParseObject(entry)
		name, ok = o.String("name")
		ok = ok && err == nil
	}
	return name, ok && reach.ValidObject(name)
}

package salesforcesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// DefinitionChange is a change of what a hosted server says of one tool, prompt, resource
// template or operation. What a tool does stays as it is.
type DefinitionChange struct {
	Server string `json:"server,omitempty"` // such as platform/sobject-all; "": every server
	// List is tools (default), prompts, resourceTemplates or operations, which discover and
	// describe of headless-360 answer.
	List string `json:"list,omitempty"`
	// Name is what is changed: a name, a uriTemplate, an operation's id. One that is not
	// there is added.
	Name string `json:"name"`
	// Merge changes members (RFC 7396, JSON Merge Patch): null removes one.
	Merge map[string]any `json:"merge,omitempty"`
	Twice bool           `json:"twice,omitempty"` // it stands at the end once more, and only that is changed
	User  string         `json:"user,omitempty"`  // username of the only one who sees it; "": everybody
}

// Definitions are how lists differ from what they were.
type Definitions struct {
	Changes []DefinitionChange `json:"changes"`
	Page    int                `json:"page,omitempty"` // how many entries a page has; 0: all
}

// Validate reports every change that cannot be made.
func (d Definitions) Validate() error {
	var problems []error
	if d.Page < 0 {
		problems = append(problems, fmt.Errorf("page %d: want 0 or more", d.Page))
	}
	for i, c := range d.Changes {
		if c.Name == "" || !slices.Contains([]string{"", "tools", "prompts", "resourceTemplates", "operations"}, c.List) {
			problems = append(problems, fmt.Errorf("changes[%d]: want a name, and tools, prompts, resourceTemplates or operations", i))
		}
	}
	return errors.Join(problems...)
}

// SetDefinitions changes what hosted servers list from now on, in the place of all former
// changes.
func (s *Sim) SetDefinitions(d Definitions) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("changing definitions: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.definitions = d
	return nil
}

// listKeys names the member by which the entries of a list are known.
var listKeys = map[string]string{"tools": "name", "prompts": "name", "resourceTemplates": "uriTemplate", "operations": "id"}

// changed is a list as it is after the changes.
func (d Definitions) changed(server, username, list string, entries []json.RawMessage) []json.RawMessage {
	out := slices.Clone(entries)
	for _, c := range d.Changes {
		if c.List != list && (c.List != "" || list != "tools") || c.Server != "" && c.Server != server || c.User != "" && c.User != username {
			continue
		}
		i := slices.IndexFunc(out, func(entry json.RawMessage) bool { return entryName(list, entry) == c.Name })
		entry := map[string]any{listKeys[list]: c.Name}
		if i >= 0 {
			entry = map[string]any{}
			_ = json.Unmarshal(out[i], &entry) // we have written it
		}
		after := records.Encode(merged(entry, c.Merge))
		if i < 0 || c.Twice {
			out = append(out, after)
		} else {
			out[i] = after
		}
	}
	return out
}

func entryName(list string, entry json.RawMessage) string {
	var members map[string]any
	_ = json.Unmarshal(entry, &members)
	name, _ := members[listKeys[list]].(string)
	return name
}

// merged is target after a patch (RFC 7396 2).
func merged(target, patch map[string]any) map[string]any {
	out := maps.Clone(target)
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(out, name)
		case isObject:
			before, _ := out[name].(map[string]any)
			if before == nil {
				before = map[string]any{}
			}
			out[name] = merged(before, inner)
		default:
			out[name] = value
		}
	}
	return out
}

// listed is the result of a list method: the page that the request asks for.
func (x *exchange) listed(list string, entries []json.RawMessage) json.RawMessage {
	d := x.sim.changedDefinitions()
	entries = orEmpty(d.changed(x.server, x.holder.user.Username, list, entries))
	var params struct {
		Cursor string `json:"cursor"`
	}
	_ = json.Unmarshal(x.message.Params, &params)
	from, _ := strconv.Atoi(params.Cursor)
	from = min(max(from, 0), len(entries))
	result := map[string]any{list: entries[from:]}
	if d.Page > 0 && from+d.Page < len(entries) {
		result[list], result["nextCursor"] = entries[from:from+d.Page], strconv.Itoa(from+d.Page)
	}
	return records.Encode(result)
}

func (s *Sim) changedDefinitions() Definitions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.definitions
}

// changedOperations are the operations of headless-360 as this user finds them.
func (x *exchange) changedOperations() []endpoint {
	var entries []json.RawMessage
	for _, e := range endpoints {
		entries = append(entries, records.Encode(e))
	}
	var out []endpoint
	for _, entry := range x.sim.changedDefinitions().changed(x.server, x.holder.user.Username, "operations", entries) {
		var e endpoint
		_ = json.Unmarshal(entry, &e)
		out = append(out, e)
	}
	return out
}

func (c controlAPI) definitions(w http.ResponseWriter, r *http.Request) {
	var d Definitions
	if !readControl(w, r, &d) {
		return
	}
	if err := c.sim.SetDefinitions(d); err != nil {
		controlError(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, d)
}

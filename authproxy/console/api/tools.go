package api

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/oversight"
)

// Tool is one definition of a hosted server, in short.
type Tool struct {
	Name    string    `json:"name" doc:"soqlQuery, prompt:NAME, resource:TEMPLATE, operation:ID"`
	Server  string    `json:"server"`
	State   string    `json:"state" enum:"waiting,accepted,rejected"`
	Why     string    `json:"why" doc:"why it was recorded"`
	Classes []string  `json:"classes" doc:"what calls of it can be by the policy of the server, the gravest last"`
	Digest  string    `json:"digest" doc:"SHA-256 of the definition"`
	Seen    time.Time `json:"seen,omitzero"`
	Decided time.Time `json:"decided,omitzero"`
	By      string    `json:"decided_by,omitempty"`
}

func toolOf(d oversight.Definition) Tool {
	return Tool{d.Called(), d.Endpoint, string(d.State), string(d.Why), classesOf(d), d.Digest, d.SeenAt, d.DecidedAt, d.DecidedBy.String()}
}

func classesOf(d oversight.Definition) []string {
	names := []string{}
	for _, c := range d.Classes {
		names = append(names, string(c))
	}
	return names
}

// tools lists definitions.
func (a toolRoutes) tools(q *call) (List[Tool], error) {
	if err := a.Reads.CheckServer(q.query.Get("server")); err != nil {
		return List[Tool]{}, err
	}
	all, err := a.Reads.DefinitionList(q.Context(), q.query.Get("server"), q.query.Get("state"))
	if err != nil {
		return List[Tool]{}, err
	}
	return listed(q, all, func(d oversight.Definition) string { return d.Endpoint + " " + d.Called() + " " + d.Digest }, toolOf)
}

// WholeTool is what is recorded under one name: the accepted definition first, then the newest.
type WholeTool struct {
	Definitions []Definition `json:"definitions"`
}

// version changes with the definitions and with what is decided about them.
func (t *WholeTool) version() string {
	var all strings.Builder
	for _, d := range t.Definitions {
		all.WriteString(d.Digest + " " + d.State + "\n")
	}
	return all.String()
}

// versionOf is the version of the same as it is recorded.
func versionOf(of []definition.Pinned) string {
	t := &WholeTool{}
	for _, p := range of {
		t.Definitions = append(t.Definitions, Definition{Tool: Tool{Digest: p.Digest, State: string(p.State)}})
	}
	return t.version()
}

// Definition is one definition, with how it differs from the accepted one.
type Definition struct {
	Tool
	LookAt      []string        `json:"look_at" doc:"what in it should be looked at before it is accepted"`
	Text        json.RawMessage `json:"definition,omitempty" doc:"missing: it is too long to be kept"`
	Differences []Difference    `json:"differences" doc:"from the accepted definition"`
}

// Difference is one place in which a definition differs from the accepted one.
type Difference struct {
	Path     string `json:"path"`
	Accepted string `json:"accepted"`
	This     string `json:"this"`
}

// maxSide is how much of each side of a difference is shown, in bytes.
const maxSide = 2000

// tool is what is recorded under one name.
func (a toolRoutes) tool(q *call) (*WholeTool, error) {
	server := q.variable("server")
	of, others, err := a.Reads.DefinitionsOf(q.Context(), server, q.variable("tool"))
	if err != nil {
		return nil, err
	}
	t := &WholeTool{Definitions: []Definition{}}
	for _, p := range of {
		one := Definition{Tool: toolOf(a.Reads.At(server, p)), LookAt: append([]string{}, definition.Signs(p.Text, others)...),
			Text: json.RawMessage(p.Text), Differences: []Difference{}}
		if of[0].State == definition.Accepted && of[0].Digest != p.Digest {
			for _, c := range definition.Difference(of[0].Text, p.Text) {
				was, is := definition.Around(c.Before, c.After, maxSide)
				one.Differences = append(one.Differences, Difference{c.Path, was, is})
			}
		}
		t.Definitions = append(t.Definitions, one)
	}
	return t, nil
}

// Decision is what somebody decides about exactly one definition.
type Decision struct {
	Digest   string `json:"digest" doc:"SHA-256 of the definition" min:"1" max:"64"`
	Decision string `json:"decision" enum:"accept,reject"`
}

// decideTool takes a decision about exactly one definition.
func (a toolRoutes) decideTool(q *call, in *Decision) (*WholeTool, error) {
	server := q.variable("server")
	of, _, err := a.Reads.DefinitionsOf(q.Context(), server, q.variable("tool"))
	if err != nil {
		return nil, err
	}
	decide := a.Definitions.DecideSeen
	if q.Header.Get("If-Match") == "*" { // whatever they are
		decide = a.Definitions.Decide
	} else if seen, ok := q.current.(*WholeTool); !ok || seen.version() != versionOf(of) {
		return nil, a.movedTool(q)
	}
	err = decide(q.Context(), q.token.Actor(), server, of, in.Digest, in.Decision == "accept")
	switch {
	case errors.Is(err, definition.ErrMoved):
		return nil, a.movedTool(q)
	case errors.Is(err, definition.ErrUnclear):
		return nil, conflict.is("What the definition means is not known: it is listed twice, or too long to be kept whole. Nothing was done.", "Have the hosted server list it once, and shorter.")
	case errors.Is(err, definition.ErrNotFound):
		return nil, conflict.is("No definition of that name has that digest; nothing was done.", "Take the digest from the definitions of this name.")
	}
	return readAfter(a.API, q, err, a.tool)
}

// movedTool says that somebody else decided, or a list changed, after the program had looked.
func (a toolRoutes) movedTool(q *call) error {
	now, err := a.tool(q)
	if err != nil {
		return err
	}
	return q.moved(now)
}

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
)

// object is a JSON object; encoding sorts its members.
type object = map[string]any

var variables = regexp.MustCompile(`\{([a-z]+)\}`)

// Document is the description of the API in OpenAPI 3.1, made from the table of routes. publicURL
// is that of the proxy; empty: the document names no server.
func Document(publicURL string) ([]byte, error) {
	s := schemas{}
	paths := map[string]object{}
	for _, route := range Routes() {
		if paths[route.Path] == nil {
			paths[route.Path] = object{}
		}
		paths[route.Path][strings.ToLower(route.Method)] = s.operation(route)
	}
	paths[documentPath] = object{"get": object{
		"operationId": "describe", "summary": "this description; also for people who are signed in with the company and hold one of the roles", "x-roles": readers(),
		"responses": s.responses(object{"description": "the description", "content": object{"application/json": object{"schema": object{"type": "object"}}}}),
	}}
	document := object{
		"openapi": "3.1.0",
		"info": object{"title": "sfmcp-proxy: API of the security team", "version": "1",
			"description": "What the pages under /console show and do, for programs. A token comes from 'console token create' and goes into the Authorization header. " +
				"Every act is in the audit log in the name of the token."},
		"paths":    paths,
		"security": []object{{"token": []string{}}},
		"components": object{
			"schemas":         s,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "sft_…"}},
		},
	}
	if publicURL != "" {
		document["servers"] = []object{{"url": publicURL}}
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return append(text, '\n'), nil
}

// operation describes one route.
func (s schemas) operation(route Route) object {
	var parameters []object
	for _, name := range variables.FindAllStringSubmatch(route.Path, -1) {
		schema := object{"type": "string", "minLength": 1, "maxLength": maxText}
		if name[1] == "entry" {
			schema = object{"type": "integer", "minimum": 1}
		}
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": schema})
	}
	for _, p := range route.Query {
		parameters = append(parameters, object{"name": p.Name, "in": "query", "description": p.Doc, "schema": p.schema()})
	}
	if route.edits != nil {
		parameters = append(parameters, object{"name": "If-Match", "in": "header", "required": true, "description": "ETag of the state that was seen; * for whatever it is now",
			"schema": object{"type": "string", "pattern": `^(\*|"[A-Za-z0-9_-]{1,64}")$`}})
	}
	if route.Method != http.MethodGet && route.file == nil {
		parameters = append(parameters, object{"name": "Idempotency-Key", "in": "header", "description": "the same request again gets the same answer, for a day",
			"schema": object{"type": "string", "pattern": `^` + idempotencyKey + `$`}})
	}
	done := object{"description": "done"}
	if route.Media == "" {
		done["content"] = object{"application/json": object{"schema": s.of(reflect.TypeOf(route.Answer))}}
	}
	if route.Media != "" {
		done["content"] = object{route.Media: object{"schema": object{"type": "string", "contentMediaType": route.Media}}}
	}
	if _, ok := route.Answer.(tagged); ok {
		done["headers"] = object{"ETag": object{"description": "for If-Match", "schema": object{"type": "string"}}}
	}
	o := object{"operationId": route.Name, "summary": route.Does, "x-roles": route.Roles, "responses": s.responses(done)}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if route.Body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(route.Body))}}}
	}
	return o
}

// responses are that one and those that every route has.
func (s schemas) responses(done object) object {
	problem := func(what string) object {
		return object{"description": what, "content": object{"application/problem+json": object{"schema": s.of(reflect.TypeFor[Problem]())}}}
	}
	return object{
		"200": done,
		"401": problem("no good token"),
		"403": problem("the token's role may not do it"),
		"429": problem("too many requests; Retry-After says when to go on"),
		"503": problem("it cannot be done at the moment; Retry-After says when to go on"),
		"4XX": problem("the request cannot be done as it is; fix says what to do"),
		"5XX": problem("our fault; it is recorded"),
	}
}

// schema is that of a parameter.
func (p Param) schema() object {
	switch {
	case len(p.Enum) > 0:
		return object{"type": "string", "enum": p.Enum}
	case p.Most != 0:
		return object{"type": "integer", "minimum": p.Least, "maximum": p.Most}
	}
	return object{"type": "string", "minLength": 1, "maxLength": p.length(), "pattern": `^[^\x00-\x1f\x7f]*$`}
}

package reach

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// This file reads the requests that one request carries: composite, batch, graph, tree and
// collections of records. Each becomes a part, which is judged as if it came alone. A carrier of
// which any part cannot be read has none, and stays what the file carriers.go makes of it.

// maxParts is how many requests and records one request may carry; Salesforce takes as many nodes
// of graphs.
const maxParts = 500

// maxCarriedFields is how many fields all of them may name, counted in each: they are looked up
// for each.
const maxCarriedFields = 5 * most

// carrier collects the parts of one request.
type carrier struct {
	schema *Schema
	parts  []*Value
	// created are the objects of records that earlier requests make, by reference id.
	created map[string]string
	inner   bool // within another carrier
	// base is the URL up to the version of the API, own the arguments of the request itself: those
	// of a part that has none of its own.
	base   string
	own    arguments
	fields int  // that the parts name
	full   bool // more than are taken
}

func newCarrier(schema *Schema, own arguments) *carrier {
	c := &carrier{schema: schema, own: own}
	address, _, _ := own.text("url")
	if segments := strings.SplitAfterN(address, "/", 5); len(segments) == 5 { // /services/data/vXX.0/…
		c.base = strings.Join(segments[:4], "")
	}
	return c
}

// alone are the arguments of dispatch for one of the records that a request carries; of one that is
// deleted, record is empty.
func (c *carrier) alone(method, path string, record arguments) (a arguments) {
	a.names = []string{"method", "url"}
	for _, text := range []string{method, c.base + "sobjects/" + path} {
		quoted, _ := jsontext.AppendQuote(nil, text) // of texts that were read
		a.values = append(a.values, quoted)
	}
	if method != "DELETE" {
		a.names, a.values = append(a.names, "body"), append(a.values, record.encode())
	}
	return a
}

// encode returns the object that has these members.
func (a arguments) encode() jsontext.Value {
	b := []byte{'{'}
	for i, name := range a.names {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, name) // which was read, so it is valid
		b = append(append(b, ':'), a.values[i]...)
	}
	return append(b, '}')
}

// OwnArguments are those of a request that another carries, as dispatch has them if it comes alone;
// nil: the call is none, and has those that it was given.
func (v *Value) OwnArguments() jsontext.Value {
	if !v.isPart {
		return nil
	}
	return v.arguments.encode()
}

// carried makes of an opaque reading what all parts of the request do and reach. It changes
// nothing where any of them cannot be read, and refuses too many.
func (r *request) carried(f *reading) *Refusal {
	c := newCarrier(f.schema, f.arguments)
	if ok := !r.unknown && c.read(r); c.full {
		return tooManyFields
	} else if !ok || len(c.parts) == 0 {
		f.Unnamed = r.method != "GET"
		return nil
	}
	f.known(Read)
	f.Parts = c.parts
	for _, p := range c.parts {
		f.Class = Worse(f.Class, p.Class)
		f.Opaque, f.OpaqueFields, f.Unnamed = f.Opaque || p.Opaque, f.OpaqueFields || p.OpaqueFields, f.Unnamed || p.Unnamed
		f.Rows = add(f.Rows, p.Rows)
		f.Records = append(f.Records, p.Records...)
		f.Unknown = append(f.Unknown, p.Unknown[:min(len(p.Unknown), few-min(len(f.Unknown), few))]...)
		f.Undescribed = union(f.Undescribed, p.Undescribed)
		for _, o := range p.Objects {
			f.at = o.At
			f.reach(o.Name)
		}
		for _, field := range p.Fields {
			f.at = field.At
			f.reachField(field.Object, field.Name)
		}
	}
	return nil
}

// read reads a request to …/composite and what is below it.
func (c *carrier) read(r *request) bool {
	path, body := r.path, r.body
	only := func(method string, parameters ...string) bool {
		for name := range r.query {
			if !slices.Contains(parameters, name) {
				return false
			}
		}
		return r.method == method
	}
	second := ""
	if len(path) > 1 {
		second = path[1]
	}
	switch {
	case second == "sobjects":
		return c.collection(r, only)
	case second == "tree" && len(path) == 3:
		return only("POST") && body.only("records") && ValidObject(path[2]) && c.each(body, "records", func(record arguments) bool { return c.tree(spelling(path[2]), record, 0) })
	case c.inner || len(path) > 2 || !only("POST"):
		return false
	case second == "":
		return c.composite(body)
	case second == "batch":
		return body.only("batchRequests", "haltOnError") && c.each(body, "batchRequests", c.request)
	case second == "graph":
		return body.only("graphs") && c.each(body, "graphs", c.composite)
	}
	return false
}

// only reports whether the members are among these, by their exact names.
func (a arguments) only(names ...string) bool {
	return !slices.ContainsFunc(a.names, func(name string) bool { return !slices.Contains(names, name) })
}

// each reads the objects in a list, which must be there and hold nothing else.
func (c *carrier) each(a arguments, name string, read func(arguments) bool) bool {
	list, ok := a.get(name)
	if !ok || list.Kind() != '[' {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(list), jsontext.AllowDuplicateNames(true)) // read already
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() == '{' {
		element, err := d.ReadValue()
		if err != nil {
			return false
		}
		end := int(d.InputOffset())
		members, refused := parseWithin(list[end-len(element) : end])
		if refused != nil || !read(members) {
			return false
		}
	}
	return d.PeekKind() == ']'
}

// composite reads requests that may refer to the records that earlier ones of them make.
func (c *carrier) composite(body arguments) bool {
	c.created = make(map[string]string)
	return body.only("compositeRequest", "allOrNone", "collateSubrequests", "graphId") && c.each(body, "compositeRequest", c.request)
}

// subrequestNames are the members of a request within another, and what dispatch calls them;
// referenceId names the request.
var subrequestNames = map[string]string{"method": "method", "url": "url", "body": "body", "richInput": "body", "httpHeaders": "headers", "referenceId": ""}

// request reads one request.
func (c *carrier) request(members arguments) bool {
	var a arguments
	for i, name := range members.names {
		dispatched, known := subrequestNames[name]
		switch _, twice := a.get(dispatched); {
		case !known || twice:
			return false
		case dispatched != "":
			a.names, a.values = append(a.names, dispatched), append(a.values, members.values[i])
		}
	}
	address, refused := a.required("url")
	if refused != nil {
		return false
	}
	if strings.HasPrefix(address, "v") { // as batches have them
		address = "/services/data/" + address
	}
	address, ok := c.resolved(address)
	if !ok {
		return false
	}
	quoted, err := jsontext.AppendQuote(nil, address)
	if err != nil {
		return false
	}
	a.values[slices.Index(a.names, "url")] = quoted
	r, refused := a.request(false)
	if refused != nil || r.unknown || r.queryRefers() {
		return false
	}
	if r.rest && r.path[0] == "composite" {
		inner := newCarrier(c.schema, a)
		inner.parts, inner.inner, inner.fields, inner.created = c.parts, true, c.fields, c.created
		ok = inner.read(&r)
		c.parts, c.fields, c.full = inner.parts, inner.fields, inner.full
		return ok
	}
	if !c.add(a, func(f *reading) bool {
		f.opaque()
		f.Argument = "url"
		f.in(Path, "url", nowhere)
		refused := r.read(f)
		if r.rest && r.method == "GET" && r.path[0] == "sobjects" && len(r.path) == 3 {
			f.Rows = 1
		}
		f.narrowed = r.mayBe()
		if f.Opaque && f.writes() && r.administers() {
			f.administer()
		}
		return refused == nil
	}) {
		return false
	}
	return c.name(members, &r)
}

// queryRefers reports whether a parameter of the URL holds what the answer to another request says.
func (r *request) queryRefers() bool {
	for _, value := range r.query {
		if refers(value) {
			return true
		}
	}
	return false
}

// name notes what a request is called, and of which object the record is that it makes.
func (c *carrier) name(members arguments, r *request) bool {
	id, given, refused := members.text("referenceId")
	if !given || c.created == nil {
		return refused == nil
	}
	if _, twice := c.created[id]; twice {
		return false
	}
	c.created[id] = ""
	if r.rest && r.method == "POST" && len(r.path) == 2 && r.path[0] == "sobjects" {
		c.created[id] = strings.ToLower(r.path[1])
	}
	return true
}

// setsUnsaid reports whether the body of a request, or of one record of several, holds what the answer to an
// earlier one says, other than the id of a record that this one makes. Only requests of one composite request
// know of each other.
func (c *carrier) setsUnsaid(a arguments) bool {
	body, given := a.get("body")
	if !given || c.created == nil {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)) // read already
	for token, err := d.ReadToken(); err == nil; token, err = d.ReadToken() {
		if token.Kind() == '"' && refers(token.String()) && c.made(token.String()) == "" {
			return true
		}
	}
	return false
}

// made returns the object of the record that an earlier request makes and to whose id a text refers,
// and to nothing else; "" if it does not.
func (c *carrier) made(text string) string {
	name, opens := strings.CutPrefix(text, "@{")
	name, isID := strings.CutSuffix(name, ".id}")
	if !opens || !isID {
		return ""
	}
	return c.created[name]
}

// placeholder stands for the id of a record that an earlier request makes; the key prefix of its
// object goes before.
const placeholder = "000000000000"

// resolved puts an id in the place of each reference to that of a record that an earlier request
// makes: sobjects/Contact/@{a.id}. It must be of the object before it: what any other reference
// says, and where it leads, nobody knows.
func (c *carrier) resolved(address string) (string, bool) {
	if !refers(address) {
		return address, true
	}
	segments := strings.Split(address, "/")
	for i, segment := range segments {
		if !refers(segment) {
			continue
		}
		object := c.made(segment)
		if object == "" || i < 2 || segments[i-2] != "sobjects" || !strings.EqualFold(segments[i-1], object) {
			return "", false
		}
		prefix := keyPrefix(object)
		if prefix == "" {
			prefix = "a00"
		}
		segments[i] = prefix + placeholder
	}
	return strings.Join(segments, "/"), true
}

// add adds a part, which has these arguments, unless it cannot be read or there are too many.
func (c *carrier) add(own arguments, read func(*reading) bool) bool {
	f := newReading(c.schema)
	f.arguments, f.isPart = own, true
	if len(c.parts) >= maxParts || !read(f) {
		return false
	}
	if c.fields += len(f.Fields); c.fields > maxCarriedFields || f.full {
		c.full = true
		return false
	}
	f.Each = 0 // a query within a request stays as it is
	f.Unnamed = f.Unnamed || c.setsUnsaid(own)
	f.finish()
	for i := range f.Records {
		if strings.HasSuffix(f.Records[i].ID, placeholder) {
			f.Records[i].ID = ""
		}
	}
	c.parts = append(c.parts, &f.Value)
	return true
}

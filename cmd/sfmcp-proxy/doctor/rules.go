package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	schemaTool = "getObjectSchema"
	// schemaCalls bounds how many objects of an org are asked for one by one.
	schemaCalls = 20
)

// listed is what one server listed to a user.
type listed struct {
	server  Server
	subject string
	tools   []hostedTool
}

// errNoSchema: the org does not tell its objects.
var errNoSchema = errors.New("no answer that names objects")

// rules compares the names in rules with the tools and objects that the org shows to a
// user: a misspelt denial denies nothing. The error is that of recording the calls.
func (x *examination) rules(ctx context.Context, o Org, lists []listed) error {
	var policies []*policy.Policy
	for _, s := range x.Servers {
		if s.Org == o.Name && s.Policy != nil && !slices.Contains(policies, s.Policy) {
			policies = append(policies, s.Policy)
		}
	}
	f := Finding{Org: o.Name, Check: "rules", Status: Good, Found: "the tools, objects and fields that rules name are there"}
	if len(lists) == 0 {
		f.Status, f.Found, f.Fix = Warn, "no server listed its tools: the names in rules are not compared with the org", signInOnce
		x.report(f)
		return nil
	}
	shown, who, left, err := x.schema(ctx, lists, policies)
	if err != nil {
		return err
	}
	wrong := false
	for _, p := range policies {
		var missing string
		if shown.Tools, missing = toolsBehind(p, o, x.Servers, lists); missing != "" {
			left = append(left, "the tools that policy "+p.Name+" names (server "+missing+" listed none)")
		}
		for _, problem := range p.Unshown(shown) {
			wrong = true
			x.report(unshown(f, p, problem, who))
		}
	}
	if len(left) > 0 {
		f.Status, f.Found = Warn, "not compared with the org: "+strings.Join(left, ", ")
	}
	if !wrong || len(left) > 0 {
		x.report(f)
	}
	return nil
}

// unshown words a name that the org does not show.
func unshown(f Finding, p *policy.Policy, problem policy.Problem, who string) Finding {
	f.Status = Warn
	whose := "the org does not show it to " + who
	if strings.HasPrefix(problem.Key, "tools") {
		whose = "no server behind the policy lists it to " + who
	}
	f.Found = fmt.Sprintf("policy %s, rule %d, %s: %s: %s%s", p.Name, problem.Rule+1, problem.Key, problem.Found, whose, problem.Want)
	f.Fix = "policies: correct the name, or leave it if it is there and only this user may not see it; a misspelt denial denies nothing"
	return f
}

// toolsBehind are the tools of all servers of an org behind a policy; nil if one of the
// servers listed none, which is named.
func toolsBehind(p *policy.Policy, o Org, servers []Server, lists []listed) (names []string, missing string) {
	for _, s := range servers {
		if s.Org != o.Name || s.Policy != p {
			continue
		}
		i := slices.IndexFunc(lists, func(l listed) bool { return l.server.Name == s.Name })
		if i < 0 || len(lists[i].tools) == 0 {
			return nil, s.Name
		}
		for _, t := range lists[i].tools {
			names = append(names, t.Name)
		}
	}
	return names, ""
}

// schema asks for the objects that rules name: the index once, then those that are not in
// it or whose fields are named, one by one. who is the user who was asked as, left what
// could not be asked for.
func (x *examination) schema(ctx context.Context, lists []listed, policies []*policy.Policy) (shown policy.Shown, who string, left []string, err error) {
	at := slices.IndexFunc(lists, func(l listed) bool {
		return slices.ContainsFunc(l.tools, func(t hostedTool) bool { return t.Name == schemaTool })
	})
	l := lists[max(at, 0)]
	who = cmp.Or(x.Username(ctx, l.server.Org, l.subject), l.subject)
	var all, ofFields []string
	for _, p := range policies {
		named, withFields := p.NamedObjects()
		all, ofFields = append(all, named...), append(ofFields, withFields...)
	}
	if len(all) == 0 {
		return shown, who, nil, nil
	}
	if at < 0 {
		return shown, who, []string{"objects and fields (no server has the tool " + schemaTool + ")"}, nil
	}
	index, err := x.describe(ctx, l, "")
	if err != nil {
		return shown, who, []string{"objects and fields (" + schemaTool + " was not answered)"}, unrecorded(err)
	}
	shown.Objects, shown.Fields = []string{}, map[string][]string{}
	for _, object := range index {
		shown.Objects = append(shown.Objects, object.Name)
	}
	asked := 0
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		known := slices.ContainsFunc(shown.Objects, func(o string) bool { return strings.EqualFold(o, name) })
		if known && !slices.Contains(ofFields, name) {
			continue
		}
		if asked++; asked > schemaCalls {
			left = append(left, "fields of "+name)
			continue
		}
		objects, err := x.describe(ctx, l, name)
		if unrecorded(err) != nil {
			return shown, who, nil, err
		}
		if err != nil && known {
			left = append(left, "fields of "+name)
		}
		for _, object := range objects {
			shown.Objects = append(shown.Objects, object.Name)
			for _, field := range object.Fields {
				shown.Fields[name] = append(shown.Fields[name], field.Name)
			}
		}
	}
	return shown, who, left, nil
}

// unrecorded is err if the call could not be recorded, otherwise nil.
func unrecorded(err error) error {
	if _, failed := errors.AsType[*upstream.Error](err); failed || errors.Is(err, errNoSchema) {
		return nil
	}
	return err
}

// shownObject is what doctor reads of an object in a schema.
type shownObject struct {
	Name   string `json:"name"`
	Fields []struct {
		Name string `json:"name"`
	} `json:"fields"`
}

// describe asks for one object, or for the index of all.
func (x *examination) describe(ctx context.Context, l listed, object string) ([]shownObject, error) {
	arguments := "{}"
	if object != "" {
		arguments = fmt.Sprintf(`{"objects":%q}`, object)
	}
	params := fmt.Sprintf(`{"name":%q,"arguments":%s}`, schemaTool, arguments)
	entry := audit.Entry{Action: audit.DoctorQuery, Subject: l.subject, Tool: schemaTool, Class: string(policy.Read)}
	result, err := x.ask(ctx, l.server, entry, jsonrpc.Request(jsontext.Value(`3`), "tools/call", jsontext.Value(params)))
	if err != nil {
		return nil, err
	}
	var r struct {
		IsError bool `json:"isError"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	var schema struct {
		Objects []shownObject `json:"sobjects"`
	}
	if json.Unmarshal(result, &r) != nil || r.IsError || len(r.Content) == 0 ||
		json.Unmarshal([]byte(r.Content[0].Text), &schema) != nil || len(schema.Objects) == 0 {
		return nil, errNoSchema
	}
	return schema.Objects, nil
}

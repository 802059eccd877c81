package team

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/ui"
)

// policies shows the rules in force in words, what can hardly be meant, and a form that says what
// is decided for a call.
func (t policyPages) policies(q *request) error {
	p := q.page("Policy", "/console/policy", "The rules in force, in words. The first rule that matches a call decides; no match denies. They are changed in the configuration, and with a reload.")
	server := q.asked("server")
	p.Search = []ui.SearchField{{Name: "server", Label: "Server", Value: server, Options: t.Reads.ServerNames()}}
	for _, note := range t.PolicyNotes() {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: note})
	}
	p.Sections = append(p.Sections, ui.Section{Heading: "What is decided for a call?", Acts: acts(q.tryAct(t.Reads.ServerNames(), oversight.Trial{Server: server}))})
	p.Sections = append(p.Sections, t.pendingSections()...)
	servers, people := t.Analysed()
	for _, s := range servers {
		if server == "" || server == s.Name {
			rules := rulesOf(s)
			replay, err := t.replayFact(q, s.Policy.Name, s.Policy.Version())
			if err != nil {
				return err
			}
			rules.Facts = []ui.Fact{{Name: "Where it is changed", Cell: ui.Cell{Text: t.PolicyPlace(s.Policy.Name), Code: true, Faint: "not here: whoever may write there changes it, and a reload takes it into force"}}, replay}
			p.Sections = append(p.Sections, rules, whoCan(s, people))
		}
	}
	return t.show(q, p)
}

// rulesOf are the rules of a server's policy, in words.
func rulesOf(s analysis.Server) ui.Section {
	section := ui.Section{Heading: "Rules at " + s.Name, Table: &ui.Table{Caption: "Rules in their order at " + s.Name, Columns: []string{"Rule", "Effect", "In words"}, Empty: "None, so every call is denied."}}
	mode := "enforced"
	if s.Policy.Mode == policy.Shadow {
		mode = "only watched: what it denies passes, and is recorded"
	}
	section.Text = fmt.Sprintf("Policy %s, version %s, %s. For: %s.", s.Policy.Name, s.Policy.Version(), mode, groupsInWords(s.Groups))
	for i, r := range s.Policy.Rules {
		kind := map[policy.Effect]string{policy.Allow: "good", policy.Confirm: "warn", policy.Deny: "denied"}[r.Effect]
		section.Table.Rows = append(section.Table.Rows, []ui.Cell{{Text: strconv.Itoa(i + 1)}, {Text: string(r.Effect), Kind: kind}, {Text: s.Policy.Words(i)}})
	}
	return section
}

func groupsInWords(groups []string) string {
	if len(groups) == 0 {
		return "nobody"
	}
	return "the groups " + strings.Join(groups, ", ")
}

// whoCan is who may call what, by which rule.
func whoCan(s analysis.Server, people analysis.People) ui.Section {
	table := &ui.Table{Caption: "Who can do what at " + s.Name, Columns: []string{"What", "Who", "How"}, Empty: "Nobody can call anything."}
	all := analysis.WhoCan(s, people, "", "")
	for _, p := range all[:min(len(all), maxLines)] {
		table.Rows = append(table.Rows, []ui.Cell{{Text: p.What()}, {Text: p.Who()}, {Text: p.Ways.String()}})
	}
	return ui.Section{Heading: "Who can do what at " + s.Name, Text: shown(len(table.Rows), len(all), "'policy who-can' at the command line has all."), Table: table}
}

// tryAct is the form that tries a call; it changes nothing.
func (q *request) tryAct(servers []string, with oversight.Trial) *ui.Act {
	return q.button(ui.Act{Path: "policy/try", Label: "Try", Text: "Nothing is sent to Salesforce, and nothing is recorded.", Inputs: []ui.SearchField{
		{Name: "server", Label: "Server", Value: with.Server, Options: servers},
		{Name: "user", Label: "User", Value: with.User, Hint: "user id or username"},
		{Name: "client", Label: "Client", Value: with.Client, Hint: "client id; empty: none"},
		{Name: "tool", Label: "Tool", Value: with.Tool, Hint: "soqlQuery"},
		{Name: "arguments", Label: "Arguments, as JSON", Value: with.Arguments, Hint: `{"q": "SELECT Id FROM Account LIMIT 1"}`, Long: true},
	}})
}

// try says what is decided for a call, and why.
func (t policyPages) try(q *request) error {
	form := q.Member.Form
	with := oversight.Trial{Server: form.Get("server"), User: strings.TrimSpace(form.Get("user")), Client: strings.TrimSpace(form.Get("client")), Tool: strings.TrimSpace(form.Get("tool")), Arguments: form.Get("arguments")}
	if len(with.Arguments) > oversight.MaxTried {
		return console.Problem(http.StatusRequestEntityTooLarge, "Too long to be tried", "Arguments of at most 64 KiB can be tried here. Nothing was done.")
	}
	p := q.page("What is decided for a call", "/console/policy", "")
	p.Back = &ui.Link{Text: "Policy", Path: "/console/policy"}
	verdict, err := t.Reads.Try(q.Context(), with, q.Now)
	if wrong, ok := errors.AsType[*oversight.InputError](err); ok {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: wrong.Error()})
	} else if err != nil {
		return err
	}
	p.Sections = append(p.Sections, ui.Section{Facts: verdictFacts(verdict)}, ui.Section{Heading: "Try again", Acts: acts(q.tryAct(t.Reads.ServerNames(), with))})
	return t.show(q, p)
}

// verdictFacts say what is decided for a call; nil: it could not be tried.
func verdictFacts(d *oversight.Verdict) []ui.Fact {
	if d == nil {
		return nil
	}
	kind := map[policy.Effect]string{policy.Allow: "good", policy.Confirm: "warn", policy.Deny: "denied"}[d.Effect]
	facts := []ui.Fact{
		{Name: "Decision", Cell: ui.Cell{Text: string(d.Effect), Kind: kind}}, {Name: "Why", Cell: ui.Cell{Text: d.Why}},
		{Name: "Class", Cell: ui.Cell{Text: string(d.Class)}}, {Name: "Objects reached", Cell: ui.Cell{Text: strings.Join(d.Objects, ", ")}},
	}
	for _, f := range []ui.Fact{
		{Name: "What the assistant is told", Cell: ui.Cell{Text: d.Text}},
		{Name: "Who must agree", Cell: ui.Cell{Text: d.Confirmation.String()}},
		{Name: "Hidden in the answer", Cell: ui.Cell{Text: strings.Join(append(d.Obligations.Mask, d.Obligations.Drop...), ", ")}},
		{Name: "Would have decided, but only observe", Cell: ui.Cell{Text: strings.Join(d.Observed, "; ")}},
	} {
		if f.Text != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

package api

import (
	"strings"

	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/policy"
)

// Policies are the rules in force.
type Policies struct {
	Notes   []string       `json:"notes" doc:"what in the policies can hardly be meant"`
	Servers []ServerPolicy `json:"servers"`
}

// ServerPolicy is the policy in front of one server.
type ServerPolicy struct {
	Server  string   `json:"server"`
	Policy  string   `json:"policy"`
	Version string   `json:"version"`
	Mode    string   `json:"mode" enum:"enforce,shadow"`
	Groups  []string `json:"groups" doc:"who may connect"`
	Rules   []Rule   `json:"rules" doc:"the first that matches decides; none: denied"`
}

// Rule is one rule.
type Rule struct {
	Effect string `json:"effect" enum:"allow,confirm,deny"`
	Words  string `json:"words"`
}

// policy says what is in force.
func (a toolRoutes) policy(q *call) (Policies, error) {
	all := Policies{Notes: append([]string{}, a.PolicyNotes()...), Servers: []ServerPolicy{}}
	if err := a.Reads.CheckServer(q.query.Get("server")); err != nil {
		return Policies{}, err
	}
	servers, _ := a.Analysed()
	for _, s := range servers {
		if only := q.query.Get("server"); only != "" && only != s.Name {
			continue
		}
		mode := "enforce"
		if s.Policy.Mode == policy.Shadow {
			mode = "shadow"
		}
		p := ServerPolicy{s.Name, s.Policy.Name, s.Policy.Version(), mode, append([]string{}, s.Groups...), []Rule{}}
		for i, r := range s.Policy.Rules {
			p.Rules = append(p.Rules, Rule{string(r.Effect), s.Policy.Words(i)})
		}
		all.Servers = append(all.Servers, p)
	}
	return all, nil
}

// Trial is a call that is tried: nothing is sent to Salesforce, and nothing is recorded.
type Trial struct {
	Server    string `json:"server" doc:"name of the endpoint" min:"1" max:"300"`
	User      string `json:"user" doc:"Salesforce user id or username" min:"1" max:"300"`
	Client    string `json:"client,omitempty" doc:"client id" max:"2048"`
	Tool      string `json:"tool" min:"1" max:"512"`
	Arguments string `json:"arguments,omitempty" doc:"the text of a JSON object" max:"65536" free:"yes"`
}

// Verdict is what is decided for a call.
type Verdict struct {
	Effect    string   `json:"effect" enum:"allow,confirm,deny"`
	Why       string   `json:"why"`
	Class     string   `json:"class,omitempty"`
	Objects   []string `json:"objects" doc:"what the call reaches"`
	Told      string   `json:"told,omitempty" doc:"what the assistant is told"`
	Approvers string   `json:"approvers,omitempty" doc:"who must agree"`
	Hidden    []string `json:"hidden" doc:"fields that are hidden in the answer"`
	Observed  []string `json:"observed" doc:"rules that only observe and would have decided"`
}

// try says what is decided for a call.
func (a toolRoutes) try(q *call, in *Trial) (Verdict, error) {
	d, err := a.Reads.Try(q.Context(), oversight.Trial{Server: in.Server, User: strings.TrimSpace(in.User), Client: strings.TrimSpace(in.Client), Tool: strings.TrimSpace(in.Tool), Arguments: in.Arguments}, q.now)
	if err != nil {
		return Verdict{}, err
	}
	return Verdict{string(d.Effect), d.Why, string(d.Class), append([]string{}, d.Objects...), d.Text, d.Confirmation.String(),
		append(append([]string{}, d.Obligations.Mask...), d.Obligations.Drop...), append([]string{}, d.Observed...)}, nil
}

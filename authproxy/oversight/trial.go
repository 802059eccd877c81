package oversight

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
)

// MaxTried is how many bytes of arguments can be tried.
const MaxTried = 64 << 10

// Trial is a call that somebody tries: nothing is sent, and nothing is recorded.
type Trial struct {
	Server string // name of the endpoint
	User   string // Salesforce user id or username
	Client string // client id; empty: none
	Tool   string
	// Arguments is a JSON object; empty: one without members.
	Arguments string
}

// Verdict is what is decided for a call.
type Verdict struct {
	policy.Decision
	// Effect and Why are those of the decision, unless the user may not connect at all.
	Effect policy.Effect
	Why    string
}

// Try says what is decided for a call. What cannot be tried is an [*InputError].
func (r *Reader) Try(ctx context.Context, of Trial, now time.Time) (*Verdict, error) {
	server := r.Access.Server(of.Server)
	arguments := jsontext.Value(of.Arguments)
	if strings.TrimSpace(of.Arguments) == "" {
		arguments = jsontext.Value("{}")
	}
	switch {
	case len(of.Arguments) > MaxTried:
		return nil, &InputError{Text: "Arguments of at most 64 KiB can be tried here."}
	case server == nil:
		return nil, &InputError{Text: "Choose a server."}
	case of.User == "" || of.Tool == "":
		return nil, &InputError{Text: "A user and a tool are needed."}
	case !arguments.IsValid() || arguments.Kind() != '{':
		return nil, &InputError{Text: "The arguments must be a JSON object without duplicate names."}
	}
	who, err := r.Access.Principal(ctx, server.Org, of.User, of.Client)
	if unknown, ok := errors.AsType[*access.UnknownUserError](err); ok {
		return nil, &InputError{Text: unknown.Error()}
	}
	if err != nil {
		return nil, err
	}
	v := &Verdict{Decision: server.Policy.Decide(who, policy.Call{Tool: of.Tool, Arguments: arguments, Server: server.Name, Now: now})}
	v.Effect, v.Why = v.Decision.Effect, v.Reason
	recorded, err := r.DefinitionList(ctx, server.Name, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range recorded {
		names = append(names, d.Called())
	}
	if meant := server.Policy.Meant(of.Tool, names); meant != "" {
		v.Why += "; no tool of that name is known of this server" + meant
	}
	if !r.Access.MayUse(access.Person{Org: who.Org, Subject: who.Subject, Username: who.Username}, server.Name) {
		v.Effect, v.Why = policy.Deny, "the user is in none of the server's groups: cannot connect to it at all"
	}
	return v, nil
}

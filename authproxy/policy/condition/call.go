package condition

import (
	"errors"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/go-json-experiment/json/jsontext"
)

// Call is what an expression is asked about.
type Call struct {
	Org, Subject, Username, Client string
	Groups                         []string
	Source                         string // network address of the client; "" where it is not known
	Server, Tool, Class            string
	Rows                           int
	Arguments                      jsontext.Value // one strict JSON object, or nil for none
	// Member finds one of the arguments by its name in any case, as it is written, for whoever has read
	// them already and knows that no two names differ in case alone; nil: they are read here.
	Member func(name string) (jsontext.Value, bool)
	Now    time.Time
	// Reaches and Field report whether the call reaches an object or a field by a name or
	// glob; they fail where that cannot be determined.
	Reaches, Field func(pattern string) (bool, error)

	arguments ref.Val  // made when an expression asks for them
	members   []string // of the arguments that the expression asks for; nil: any
}

const textNoUsername = "the name of the user is not known"

// names of variables, as expressions have them.
const (
	nameOrg       = "principal.org"
	nameSubject   = "principal.subject"
	nameUsername  = "principal.username"
	nameClient    = "principal.client"
	nameGroups    = "principal.groups"
	nameSource    = "source"
	nameServer    = "server"
	nameTool      = "tool"
	nameClass     = "class"
	nameRows      = "rows"
	nameArguments = "arguments"
	nameNow       = "now"
	// nameCall is the call itself, for the functions that ask it. No expression can write it.
	nameCall = "@call"
)

// ResolveName implements the activation of an expression.
func (c *Call) ResolveName(name string) (any, bool) {
	switch name {
	case nameOrg:
		return types.String(c.Org), true
	case nameSubject:
		return types.String(c.Subject), true
	case nameUsername:
		if c.Username == "" {
			return types.NewErr(textNoUsername), true
		}
		return types.String(c.Username), true
	case nameClient:
		return types.String(c.Client), true
	case nameGroups:
		return types.NewStringList(types.DefaultTypeAdapter, c.Groups), true
	case nameSource:
		if c.Source == "" {
			return types.NewErr("the address of the client is not known"), true
		}
		return types.String(c.Source), true
	case nameServer:
		return types.String(c.Server), true
	case nameTool:
		return types.String(c.Tool), true
	case nameClass:
		return types.String(c.Class), true
	case nameRows:
		return types.Int(c.Rows), true
	case nameArguments:
		return c.argumentsRead(), true
	case nameNow:
		return types.Timestamp{Time: c.Now}, true
	case nameCall:
		return callValue{c}, true
	}
	return nil, false
}

// argumentsRead are the arguments, or those members of them that the expression asks for.
func (c *Call) argumentsRead() ref.Val {
	if c.arguments == nil {
		switch few := c.members != nil && len(c.Arguments) <= fewBytes; {
		case few && c.Member != nil && plainNumbers(c.Arguments):
			return findArguments(c.Member, c.members)
		case few:
			return readArguments(c.Arguments, c.members)
		}
		c.arguments = readArguments(c.Arguments, nil)
	}
	return c.arguments
}

// Parent implements the activation of an expression: there is nothing behind it.
func (c *Call) Parent() cel.Activation { return nil }

// callType is the type of [nameCall].
var callType = cel.OpaqueType("call")

// callValue is a call as a value of CEL. Nothing can be done with it but asking it.
type callValue struct{ *Call }

var errOpaque = errors.New("a call is no other value")

func (callValue) ConvertToNative(reflect.Type) (any, error) { return nil, errOpaque }
func (callValue) ConvertToType(ref.Type) ref.Val            { return types.WrapErr(errOpaque) }
func (callValue) Equal(ref.Val) ref.Val                     { return types.False }
func (callValue) Type() ref.Type                            { return callType }
func (v callValue) Value() any                              { return v.Call }

package condition

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Bounds of one expression.
const (
	// MaxSource is the longest text, in characters.
	MaxSource = 2000
	// MaxCost is the greatest cost, in units of CEL; a unit is about 10 ns, and looking
	// through a string costs a tenth of a unit a character.
	MaxCost = 250_000
)

// Condition is one expression, ready to be asked. It may be asked by many at a time.
type Condition struct {
	source    string
	program   cel.Program
	names     []string // variables and functions that it asks
	members   []string // of the arguments that it asks for by name; nil: any
	calendars []*Calendar
}

// Names is what literals in an expression are compared with.
type Names struct {
	Calendars []*Calendar
	// Object and Field report whether a text may be the name or glob of one.
	Object, Field func(pattern string) bool
}

// Compile reads an expression. Its error says what is wrong, and where.
func Compile(source string, names Names) (*Condition, error) {
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("the expression is empty")
	}
	c := &Condition{source: source}
	env, err := environment(names, c)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, errors.New(firstLine(issues))
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the expression is of the type %s, and must be true or false; compare an argument with a value: arguments.NAME == true", cel.FormatCELType(checked.OutputType()))
	}
	cost, err := env.EstimateCost(checked, sizes{})
	switch {
	case err != nil:
		return nil, fmt.Errorf("the cost cannot be bounded: %w", err)
	case cost.Max == math.MaxUint64:
		return nil, errors.New("the cost has no bound: it loops over arguments; use reaches(…) or field(…), or compare single arguments")
	case cost.Max > MaxCost:
		return nil, fmt.Errorf("it may cost %d units, and at most %d are allowed: loop over less, or search fewer strings", cost.Max, MaxCost)
	}
	c.names, c.members = asked(checked.NativeRep()), members(checked.NativeRep())
	if c.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, fmt.Errorf("preparing the expression: %w", err)
	}
	return c, nil
}

// String is the source.
func (c *Condition) String() string { return c.source }

// Holds reports whether the expression is true of a call. An error says why it is neither true
// nor false, and holds no value of the call.
func (c *Condition) Holds(call *Call) (bool, error) {
	call.members = c.members
	out, _, err := c.program.Eval(call)
	if err != nil {
		return false, evaluationError(err)
	}
	holds, isBool := out.(types.Bool)
	if !isBool {
		return false, errors.New("it is neither true nor false")
	}
	return bool(holds), nil
}

// evaluationError keeps what is known to hold no value of the call.
func evaluationError(err error) error {
	text := err.Error()
	for _, plain := range []string{"the address of the client is not known", textNoUsername, textSpellings, "the arguments cannot be read", textTooMany, "what the call reaches cannot be determined", "no such overload", "no such key"} {
		if strings.Contains(text, plain) {
			return errors.New(plain)
		}
	}
	return errors.New("it cannot be evaluated")
}

// Asks reports whether the expression asks about any of these variables or functions.
func (c *Condition) Asks(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(c.names, name) })
}

// Calendars are those that the expression asks for.
func (c *Condition) Calendars() []*Calendar { return c.calendars }

// Until returns when a calendar of the expression changes next after a moment; zero if none
// does, or it has none.
func (c *Condition) Until(at time.Time) (next time.Time) {
	for _, calendar := range c.calendars {
		if change := calendar.Next(at); !change.IsZero() && (next.IsZero() || change.Before(next)) {
			next = change
		}
	}
	return next
}

// asked returns the names of variables and functions in an expression, sorted.
func asked(checked *ast.AST) (names []string) {
	for _, reference := range checked.ReferenceMap() {
		names = append(names, reference.Name)
		names = append(names, reference.OverloadIDs...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// members returns the members of the arguments that an expression asks for by constant names,
// nil where it looks at the arguments in any other way.
func members(checked *ast.AST) []string {
	names := []string{}
	isArguments := func(e ast.NavigableExpr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == nameArguments }
	for _, arguments := range ast.MatchDescendants(ast.NavigateAST(checked), isArguments) {
		parent, ok := arguments.Parent()
		if !ok {
			return nil
		}
		name := ""
		switch parent.Kind() {
		case ast.SelectKind:
			name, ok = parent.AsSelect().FieldName(), true
		case ast.CallKind:
			args := parent.AsCall().Args()
			isIndex := parent.AsCall().FunctionName() == operators.Index && len(args) == 2 && args[0].ID() == arguments.ID()
			if name, ok = "", isIndex; isIndex {
				name, ok = literalText(args[1])
			}
		default:
			ok = false
		}
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstLine says of the first issue what is wrong and at which character.
func firstLine(issues *cel.Issues) string {
	first := issues.Errors()[0]
	text, _, _ := strings.Cut(strings.TrimPrefix(first.Message, "Syntax error: "), "\n")
	if strings.Contains(text, "invalid argument to has()") {
		text = `has(…) takes a name after a dot, such as has(arguments.body); ask for another name by "sobject-name" in arguments`
	}
	return fmt.Sprintf("%s (character %d)", strings.NewReplacer(nameCall+".", "").Replace(text), first.Location.Column()+1)
}

// environment declares what expressions may speak of.
func environment(names Names, c *Condition) (*cel.Env, error) {
	networks, zones := map[string]netip.Prefix{}, map[string]*time.Location{}
	return cel.NewEnv(
		cel.Macros(zoneMacros(zones)...), zoneFunction(zones),
		cel.Variable(nameOrg, cel.StringType), cel.Variable(nameSubject, cel.StringType), cel.Variable(nameUsername, cel.StringType),
		cel.Variable(nameClient, cel.StringType), cel.Variable(nameGroups, cel.ListType(cel.StringType)),
		cel.Variable(nameSource, cel.StringType), cel.Variable(nameServer, cel.StringType), cel.Variable(nameTool, cel.StringType),
		cel.Variable(nameClass, cel.StringType), cel.Variable(nameRows, cel.IntType), cel.Variable(nameNow, cel.TimestampType),
		cel.Variable(nameArguments, cel.MapType(cel.StringType, cel.DynType)), cel.Variable(nameCall, callType),
		cel.Macros(
			literal("reaches", "the name of an object, such as Account", names.Object),
			literal("field", "Object.Field, such as Contact.SSN__c", names.Field),
			literal("during", "the name of a calendar of the configuration", func(name string) bool { return c.uses(name, names.Calendars) }),
			network(networks),
		),
		ask("reaches", func(call *Call, pattern string) (bool, error) { return call.Reaches(pattern) }),
		ask("field", func(call *Call, pattern string) (bool, error) { return call.Field(pattern) }),
		ask("during", func(call *Call, name string) (bool, error) {
			i := slices.IndexFunc(names.Calendars, func(k *Calendar) bool { return k.Name == name })
			return names.Calendars[i].Holds(call.Now), nil
		}),
		cel.Function("in_network", cel.MemberOverload("in_network", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(source, cidr ref.Val) ref.Val { return within(source, networks[string(cidr.(types.String))]) }))),
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxSource), cel.ParserRecursionLimit(64),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(1)),
	)
}

// uses notes that the expression asks for a calendar; false: there is none of that name.
func (c *Condition) uses(name string, calendars []*Calendar) bool {
	i := slices.IndexFunc(calendars, func(k *Calendar) bool { return k.Name == name })
	if i >= 0 && !slices.Contains(c.calendars, calendars[i]) {
		c.calendars = append(c.calendars, calendars[i])
	}
	return i >= 0
}

func within(source ref.Val, network netip.Prefix) ref.Val {
	address, err := netip.ParseAddr(string(source.(types.String)))
	if err != nil {
		return types.NewErr("the address of the client is not known")
	}
	return types.Bool(network.Contains(address.Unmap()))
}

// literal is the macro of a function that asks the call: name("LITERAL") becomes
// @call.name("LITERAL").
func literal(name, want string, valid func(string) bool) cel.Macro {
	return cel.GlobalMacro(name, 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		text, ok := literalText(args[0])
		if !ok || valid != nil && !valid(text) {
			return nil, f.NewError(args[0].ID(), name+"(…) needs "+want+", in quotes")
		}
		return f.NewMemberCall(name, f.NewIdent(nameCall), args[0]), nil
	})
}

// network is the macro that reads the network of source.in_network("CIDR").
func network(into map[string]netip.Prefix) cel.Macro {
	return cel.ReceiverMacro("in_network", 1, func(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		text, _ := literalText(args[0])
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix != prefix.Masked() {
			return nil, f.NewError(args[0].ID(), `in_network(…) needs a network, such as "10.0.0.0/8" or "2001:db8::/32", in quotes`)
		}
		into[text] = prefix
		return nil, nil // stays as it is
	})
}

func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

// ask declares a function that asks the call.
func ask(name string, f func(call *Call, literal string) (bool, error)) cel.EnvOption {
	return cel.Function(name, cel.MemberOverload(name, []*cel.Type{callType, cel.StringType}, cel.BoolType,
		cel.BinaryBinding(func(call, text ref.Val) ref.Val {
			is, err := f(call.(callValue).Call, string(text.(types.String)))
			if err != nil {
				return types.WrapErr(err)
			}
			return types.Bool(is)
		})))
}

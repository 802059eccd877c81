package condition

import (
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// nameInZone is the function that now.getHours("ZONE") and its like become. No expression can
// write it.
const nameInZone = "@in_zone"

// inZone are the parts of a moment that expressions can ask for in a time zone, as CEL counts
// them: months, days of months and days of years from 0, getDate from 1.
var inZone = map[string]func(time.Time) int{
	"getFullYear":     time.Time.Year,
	"getMonth":        func(t time.Time) int { return int(t.Month()) - 1 },
	"getDate":         time.Time.Day,
	"getDayOfMonth":   func(t time.Time) int { return t.Day() - 1 },
	"getDayOfWeek":    func(t time.Time) int { return int(t.Weekday()) },
	"getDayOfYear":    func(t time.Time) int { return t.YearDay() - 1 },
	"getHours":        time.Time.Hour,
	"getMinutes":      time.Time.Minute,
	"getSeconds":      time.Time.Second,
	"getMilliseconds": func(t time.Time) int { return t.Nanosecond() / int(time.Millisecond) },
}

// zoneMacros read the time zone of now.getHours("ZONE") once: CEL itself would read its file
// at each call, and find out then that there is none of that name.
func zoneMacros(zones map[string]*time.Location) (macros []cel.Macro) {
	for name := range inZone {
		macros = append(macros, cel.ReceiverMacro(name, 1, func(f cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			zone, _ := literalText(args[0])
			location := Location(zone)
			if location == nil {
				return nil, f.NewError(args[0].ID(), name+"(…) needs the name of a time zone, such as Europe/Berlin or UTC, in quotes")
			}
			zones[zone] = location
			return f.NewCall(nameInZone, target, args[0], f.NewLiteral(types.String(name))), nil
		}))
	}
	return macros
}

// locations are the time zones that were found, by name. Only configurations name them.
var locations sync.Map

// Location finds a time zone by its IANA name; nil: there is none. A zone is read from its file
// once: the library reads it each time.
func Location(zone string) *time.Location {
	if found, ok := locations.Load(zone); ok {
		return found.(*time.Location)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return nil
	}
	locations.Store(zone, location)
	return location
}

// zoneFunction is what the macros lead to.
func zoneFunction(zones map[string]*time.Location) cel.EnvOption {
	types3 := []*cel.Type{cel.TimestampType, cel.StringType, cel.StringType}
	return cel.Function(nameInZone, cel.Overload("in_zone", types3, cel.IntType, cel.FunctionBinding(func(args ...ref.Val) ref.Val {
		at, zone, part := args[0].(types.Timestamp), args[1].(types.String), args[2].(types.String)
		return types.Int(inZone[string(part)](at.In(zones[string(zone)])))
	})))
}

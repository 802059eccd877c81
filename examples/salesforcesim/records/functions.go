package records

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// function is one function of SOQL with one argument.
type function struct {
	takes  func(arg *expression) bool
	result func(arg fieldType) fieldType
	of     func(arg *expression, x scope) any  // of a function of a value
	over   func(arg *expression, g *group) any // of an aggregate function
}

// functions are those with one argument, by name in capitals.
var functions = func() map[string]function {
	all := map[string]function{
		"TOLABEL": {takes: typed(func(t fieldType) bool { return t == typePicklist || t == typeMulti }), result: same,
			of: itself}, // labels are the values
		"CONVERTCURRENCY": {takes: typed(func(t fieldType) bool { return t == typeCurrency }), result: same,
			of: itself}, // every user's currency is the org's
		"CONVERTTIMEZONE": {takes: typed(func(t fieldType) bool { return t == typeDateTime }), result: same,
			of: itself}, // every user's days are those of UTC
		"FORMAT": {takes: typed(func(t fieldType) bool { return t.isNumber() || t.isDate() || t == typePicklist }), result: always(typeString),
			of: func(arg *expression, x scope) any { return formatted(arg.t, arg.eval(x)) }},
		"DAY_ONLY": {takes: typed(func(t fieldType) bool { return t == typeDateTime }), result: always(typeDate),
			of: datePart(func(t time.Time) any { return t.Format(dateLayout) })},
	}
	for name, part := range dateParts {
		all[name] = function{takes: typed(fieldType.isDate), result: always(typeInt),
			of: datePart(func(t time.Time) any { return float64(part(t)) })}
	}
	maps.Copy(all, aggregates)
	return all
}()

func itself(arg *expression, x scope) any { return arg.eval(x) }

// isFunction reports whether a word is the name of a function.
func isFunction(word string) bool {
	word = strings.ToUpper(word)
	_, known := functions[word]
	return known || word == "DISTANCE" || word == "GEOLOCATION"
}

// isDatePart reports whether a function makes a part of a date: such a function can be
// filtered and grouped by, and read only where it is grouped by.
func isDatePart(fn string) bool { return dateParts[fn] != nil || fn == "DAY_ONLY" }

func typed(ok func(fieldType) bool) func(*expression) bool {
	return func(arg *expression) bool { return ok(arg.t) }
}

func same(t fieldType) fieldType { return t }

func always(t fieldType) func(fieldType) fieldType { return func(fieldType) fieldType { return t } }

// dateParts are the functions that make a number of a date. The fiscal year of the org is
// the calendar year.
var dateParts = map[string]func(time.Time) int{
	"CALENDAR_MONTH":   func(t time.Time) int { return int(t.Month()) },
	"CALENDAR_QUARTER": quarter,
	"CALENDAR_YEAR":    time.Time.Year,
	"FISCAL_MONTH":     func(t time.Time) int { return int(t.Month()) },
	"FISCAL_QUARTER":   quarter,
	"FISCAL_YEAR":      time.Time.Year,
	"DAY_IN_MONTH":     time.Time.Day,
	"DAY_IN_WEEK":      func(t time.Time) int { return int(t.Weekday()) + 1 },
	"DAY_IN_YEAR":      time.Time.YearDay,
	"HOUR_IN_DAY":      time.Time.Hour,
	"WEEK_IN_MONTH":    func(t time.Time) int { return (t.Day()-1)/7 + 1 },
	"WEEK_IN_YEAR":     func(t time.Time) int { return (t.YearDay()-1)/7 + 1 },
}

func quarter(t time.Time) int { return (int(t.Month())-1)/3 + 1 }

// datePart is a function of a date that is null where the date is.
func datePart(part func(time.Time) any) func(*expression, scope) any {
	return func(arg *expression, x scope) any {
		v := arg.eval(x)
		if v == nil {
			return nil
		}
		return part(timeOf(v))
	}
}

// formatted is a value as the locale of the org's users, en_US, writes it.
func formatted(t fieldType, v any) any {
	switch v := v.(type) {
	case float64:
		switch t {
		case typeCurrency:
			return "USD " + withThousands(strconv.FormatFloat(v, 'f', 2, 64))
		case typePercent:
			return strconv.FormatFloat(v, 'f', -1, 64) + "%"
		}
		return withThousands(strconv.FormatFloat(v, 'f', -1, 64))
	case string:
		if t == typeDate {
			return timeOf(v).Format("1/2/2006")
		}
		if t == typeDateTime {
			return timeOf(v).Format("1/2/2006, 3:04 PM")
		}
	}
	return v
}

// withThousands puts commas between the thousands of a decimal number.
func withThousands(number string) string {
	whole, fraction, _ := strings.Cut(number, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// aggregates are the functions of a group of records.
var aggregates = map[string]function{
	"COUNT":          {takes: typed(fieldType.comparable), result: always(typeInt), over: func(arg *expression, g *group) any { return float64(len(g.values(arg))) }},
	"COUNT_DISTINCT": {takes: typed(fieldType.comparable), result: always(typeInt), over: countDistinct},
	"SUM":            {takes: typed(fieldType.isNumber), result: same, over: func(arg *expression, g *group) any { return orNoNumber(g.sum(arg)) }},
	"AVG":            {takes: typed(fieldType.isNumber), result: always(typeDouble), over: average},
	"MIN":            {takes: typed(ordered), result: same, over: extreme(-1)},
	"MAX":            {takes: typed(ordered), result: same, over: extreme(1)},
	"GROUPING":       {takes: func(*expression) bool { return true }, result: always(typeInt), over: func(arg *expression, g *group) any { return float64(compareBool(g.rolled[arg.key], false)) }},
}

// ordered reports whether a type has a least and a greatest value.
func ordered(t fieldType) bool {
	return t.comparable() && t != typeBoolean && t != typeMulti && !t.isID()
}

func countDistinct(arg *expression, g *group) any {
	distinct := map[string]bool{}
	for _, v := range g.values(arg) {
		distinct[strings.ToLower(fmt.Sprint(v))] = true
	}
	return float64(len(distinct))
}

func average(arg *expression, g *group) any {
	total, n := g.sum(arg)
	if n == 0 {
		return nil
	}
	return total / float64(n)
}

// orNoNumber is the sum of n values; null where there are none.
func orNoNumber(total float64, n int) any {
	if n == 0 {
		return nil
	}
	return total
}

// extreme is the least value of a group (-1) or the greatest (1).
func extreme(direction int) func(*expression, *group) any {
	return func(arg *expression, g *group) any {
		values := g.values(arg)
		if len(values) == 0 {
			return nil
		}
		return slices.MaxFunc(values, func(a, b any) int { return direction * compareValues(arg.t, a, b) })
	}
}

package condition

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func calendar(t testing.TB, name, zone string, weekly, dated []string) *Calendar {
	t.Helper()
	c, faults := ParseCalendar(name, zone, weekly, dated)
	if faults != nil {
		t.Fatal(faults)
	}
	return c
}

func names(t testing.TB) Names {
	word := func(s string) bool { return s != "" && !strings.ContainsAny(s, " '\"") }
	return Names{
		Calendars: []*Calendar{
			calendar(t, "business-hours", "Europe/Berlin", []string{"Mon-Fri 08:00-18:00"}, nil),
			calendar(t, "change-freeze", "UTC", nil, []string{"2026-12-20 to 2027-01-06"}),
		},
		Object: word, Field: func(s string) bool { return word(s) && strings.Contains(s, ".") },
	}
}

func call() *Call {
	return &Call{
		Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Client: "chatgpt", Groups: []string{"pilot", "leads"},
		Source: "10.1.2.3", Server: "sales", Tool: "updateSobjectRecord", Class: "update", Rows: 200,
		Arguments: []byte(`{"sobject-name":"Account","amount":12.5,"count":3,"big":9007199254740993,"on":true,"none":null,"list":[1,"a"],"body":{"Name":"x"}}`),
		Now:       time.Date(2026, 11, 30, 8, 30, 0, 0, time.UTC), // Monday 09:30 in Berlin
		Reaches: func(o string) (bool, error) {
			if o == "Opaque" {
				return false, errors.New("what the call reaches cannot be determined")
			}
			return o == "Account", nil
		},
		Field: func(f string) (bool, error) { return f == "Account.Name", nil },
	}
}

func TestHolds(t *testing.T) {
	for source, want := range map[string]bool{
		`principal.org == "acme"`:                                     true,
		`principal.subject.startsWith("005")`:                         true,
		`principal.username.endsWith("@acme.example")`:                true,
		`principal.client in ["claude", "chatgpt"]`:                   true,
		`"leads" in principal.groups`:                                 true,
		`principal.groups.exists(g, g.startsWith("admin"))`:           false,
		`source.in_network("10.0.0.0/8")`:                             true,
		`source.in_network("192.168.0.0/16")`:                         false,
		`source.in_network("2001:db8::/32") || source == "10.1.2.3"`:  true,
		`server == "sales" && tool == "updateSobjectRecord"`:          true,
		`class == "update" && rows > 100`:                             true,
		`rows > 200`:                                                  false,
		`arguments["sobject-name"] == "Account"`:                      true,
		`arguments.amount > 12`:                                       true,
		`arguments.count == 3`:                                        true,
		`arguments.count == 3.0`:                                      true,
		`arguments.big == 9007199254740993`:                           true,
		`arguments.big == 9007199254740992`:                           false,
		`arguments.on == true`:                                        true,
		`arguments.none == null`:                                      true,
		`arguments.body.Name == "x"`:                                  true,
		`has(arguments.absent)`:                                       false,
		`"sobject-name" in arguments && "name" in arguments.body`:     true,
		`!("Nam" in arguments.body) && has(arguments.body.NAME)`:      true,
		`arguments.body.name == "x" && arguments.body["NAME"] == "x"`: true,
		`has(arguments.Body) && arguments.AMOUNT > 12`:                true, // names of arguments are found in any case
		`"SObject-Name" in arguments && has(arguments.Count)`:         true,
		`arguments.Amount > 12 && arguments.amount > 12`:              true,
		`has(arguments.body) && has(arguments.body.Name)`:             true,
		`!has(arguments.absent) || arguments.absent == 1`:             true,
		`now.getHours("Europe/Berlin") == 9`:                          true,
		`now.getDayOfWeek("Europe/Berlin") == 1`:                      true,
		`now.getHours() == 8 && now.getMinutes("Asia/Kolkata") == 0`:  true,
		`now.getDate("Asia/Tokyo") == 30 && now.getMonth("UTC") == 10 && now.getFullYear("UTC") == 2026`:                                        true,
		`now.getDayOfMonth("UTC") == 29 && now.getDayOfYear("UTC") == 333 && now.getSeconds("UTC") == 0 && now.getMilliseconds("UTC") == 0`:     true,
		`timestamp("2026-12-31T23:30:00Z").getFullYear("Europe/Berlin") == 2027 && timestamp("2026-12-31T23:30:00Z").getHours("Etc/UTC") == 23`: true,
		`now < timestamp("2026-12-01T00:00:00Z")`:                  true,
		`reaches("Account")`:                                       true,
		`reaches("Contact")`:                                       false,
		`field("Account.Name") && !field("Contact.SSN__c")`:        true,
		`during("business-hours")`:                                 true,
		`during("change-freeze")`:                                  false,
		`!during("business-hours") || class == "delete"`:           false,
		`arguments["sobject-name"].matches("^Acc")`:                true,
		`rows > 100 || reaches("Opaque")`:                          true, // the first decides
		`size(principal.groups) == 2 && size(arguments.list) == 2`: true,
		`principal.groups.all(g, g in ["pilot", "leads"])`:         true,
		`arguments.?absent.orValue("none") == "none" || rows > 0`:  true,
		`[1, 2, 3].exists(n, n == arguments.count)`:                true,
	} {
		t.Run(source, func(t *testing.T) {
			c, err := Compile(source, names(t))
			if strings.Contains(source, ".?") {
				if err == nil {
					t.Error("optional values are not part of the language here")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Holds(call()); got != want || err != nil {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// What cannot be compiled says what is wrong and, where a place is wrong, where.
func TestCompileRefuses(t *testing.T) {
	for source, says := range map[string]string{
		``:                                "the expression is empty",
		`rows`:                            "of the type int, and must be true or false",
		`arguments.on`:                    "of the type dyn, and must be true or false; compare an argument",
		`rows < "x"`:                      "no matching overload",
		`has(arguments["sobject-name"])`:  `ask for another name by "sobject-name" in arguments (character 14)`,
		`principal.nme == "x"`:            "undeclared reference to 'principal.nme' (did you mean 'principal.org'?) (character 10)",
		`rowz > 1`:                        "undeclared reference to 'rowz'",
		`reaches(tool)`:                   `reaches(…) needs the name of an object, such as Account, in quotes (character 9)`,
		`reaches("no such")`:              "reaches(…) needs",
		`field("Account")`:                "field(…) needs Object.Field",
		`during("holidays")`:              "during(…) needs the name of a calendar of the configuration",
		`source.in_network("10.0.0.1/8")`: `in_network(…) needs a network`,
		`source.in_network(server)`:       "in_network(…) needs a network",
		`source.in_network("10.0.0.0")`:   "in_network(…) needs a network",
		`now.getHours("Europe/Berlinn")`:  "getHours(…) needs the name of a time zone, such as Europe/Berlin or UTC, in quotes (character 14)",
		`now.getHours("Local") > 1`:       "needs the name of a time zone",
		`now.getHours("../UTC") > 1`:      "needs the name of a time zone",
		`now.getHours(tool) > 1`:          "needs the name of a time zone",
		`tool.getHours("UTC") > 1`:        "no matching overload",
		`@in_zone(now, "UTC", "x") > 1`:   "",
		`tool.matches("(")`:               "invalid matches argument",
		`timestamp("yesterday") < now`:    "invalid timestamp argument",
		`arguments.list.all(x, x > 1)`:    "units, and at most",
		`principal.groups.all(a, principal.groups.all(b, a != b))`: "nesting limit",
		`rows > 1 &&`: "mismatched input",
		strings.Repeat("(", 80) + "true" + strings.Repeat(")", 80):         "recursion",
		`rows > 1 || tool == "` + strings.Repeat("x", MaxSource) + `"`:     "exceeds limit",
		`@call.reaches("Account")`:                                         "Syntax error",
		`arguments.a.matches("(a|b)*x") && arguments.b.matches("(a|b)*x")`: "units, and at most",
	} {
		t.Run(source[:min(len(source), 40)], func(t *testing.T) {
			_, err := Compile(source, names(t))
			if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(says, "Syntax error")) {
				t.Errorf("%v", err)
			}
		})
	}
}

// An error is neither true nor false, and names no value of the call.
func TestHoldsFails(t *testing.T) {
	for source, says := range map[string]string{
		`arguments.absent == 1`:               "no such key",
		`arguments["sobject-name"] > 1`:       "no such overload",
		`reaches("Opaque")`:                   "cannot be determined",
		`!reaches("Opaque")`:                  "cannot be determined",
		`rows / (rows - 200) > 1`:             "it cannot be evaluated",
		`int(arguments["sobject-name"]) == 1`: "it cannot be evaluated",
		`arguments.body.Name.Other == "x"`:    "no such",
	} {
		t.Run(source, func(t *testing.T) {
			c, err := Compile(source, names(t))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Holds(call())
			if got || err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "Account") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for name, change := range map[string]func(*Call){
		"no address":         func(c *Call) { c.Source = "" },
		"no JSON":            func(c *Call) { c.Arguments = []byte(`{"a"`) },
		"no object":          func(c *Call) { c.Arguments = []byte(`[1]`) },
		"too many values":    func(c *Call) { c.Arguments = manyValues },
		"a number too large": func(c *Call) { c.Arguments = []byte(`{"a":1e999}`) },
	} {
		c, err := Compile(`source.in_network("10.0.0.0/8") && !has(arguments.absent)`, names(t))
		if err != nil {
			t.Fatal(err)
		}
		with := call()
		change(with)
		if got, err := c.Holds(with); got || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A client that connects by IPv4 over IPv6 is the same address.
func TestMappedAddress(t *testing.T) {
	c, err := Compile(`source.in_network("10.0.0.0/8")`, names(t))
	if err != nil {
		t.Fatal(err)
	}
	with := call()
	with.Source = "::ffff:10.9.9.9"
	if got, err := c.Holds(with); !got || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAsks(t *testing.T) {
	c, err := Compile(`during("business-hours") && "leads" in principal.groups && reaches("Account")`, names(t))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Asks("during") || !c.Asks("principal.groups") || !c.Asks("reaches") || c.Asks("arguments", "rows", "now") {
		t.Errorf("%v", c.names)
	}
}

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		out, err := time.ParseInLocation("2006-01-02 15:04", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		weekly, dated []string
		at            string
		want          bool
		next          string // "" for never
	}{
		"in hours":                      {[]string{"Mon-Fri 08:00-18:00"}, nil, "2026-11-30 09:00", true, "2026-11-30 18:00"},
		"the first minute":              {[]string{"Mon-Fri 08:00-18:00"}, nil, "2026-11-30 08:00", true, "2026-11-30 18:00"},
		"the last moment":               {[]string{"Mon-Fri 08:00-18:00"}, nil, "2026-11-30 18:00", false, "2026-12-01 08:00"},
		"over the weekend":              {[]string{"Mon-Fri 08:00-18:00"}, nil, "2026-11-27 19:00", false, "2026-11-30 08:00"},
		"over midnight":                 {[]string{"Fri 22:00-06:00"}, nil, "2026-11-28 05:59", true, "2026-11-28 06:00"},
		"before midnight":               {[]string{"Fri 22:00-06:00"}, nil, "2026-11-27 23:00", true, "2026-11-28 06:00"},
		"not after another":             {[]string{"Fri 22:00-06:00"}, nil, "2026-11-27 05:59", false, "2026-11-27 22:00"},
		"days over the end of the week": {[]string{"Sat-Mon 00:00-24:00"}, nil, "2026-11-29 12:00", true, "2026-12-01 00:00"},
		"always":                        {[]string{"Mon-Sun 00:00-24:00"}, nil, "2026-11-29 12:00", true, ""},
		"dated, the last day":           {nil, []string{"2026-12-20 to 2027-01-06"}, "2027-01-06 23:59", true, "2027-01-07 00:00"},
		"dated, before":                 {nil, []string{"2026-12-20 to 2027-01-06"}, "2026-12-19 23:59", false, "2026-12-20 00:00"},
		"dated, over":                   {nil, []string{"2026-12-20 to 2027-01-06"}, "2027-01-07 00:00", false, ""},
		"dated, by the minute":          {nil, []string{"2026-12-20 18:00 to 2026-12-27 08:00"}, "2026-12-27 07:59", true, "2026-12-27 08:00"},
		// 2026-03-29: the clock goes from 02:00 to 03:00. 2026-10-25: from 03:00 back to 02:00.
		"the hour that there is not":           {[]string{"Sun 02:30-04:00"}, nil, "2026-03-29 03:10", true, "2026-03-29 04:00"},
		"before the hour that there is not":    {[]string{"Sun 02:30-04:00"}, nil, "2026-03-29 01:00", false, "2026-03-29 03:00"},
		"an end in the hour that there is not": {[]string{"Sun 01:00-02:30"}, nil, "2026-03-29 01:30", true, "2026-03-29 03:00"},
		"an hour that there is twice":          {[]string{"Sun 02:00-03:00"}, nil, "2026-10-25 01:00", false, "2026-10-25 02:00"},
		"a day of 23 hours":                    {[]string{"Sun 00:00-24:00"}, nil, "2026-03-29 23:30", true, "2026-03-30 00:00"},
		"a day of 25 hours":                    {[]string{"Sun 00:00-24:00"}, nil, "2026-10-25 23:30", true, "2026-10-26 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			k := calendar(t, "k", "Europe/Berlin", c.weekly, c.dated)
			if got := k.Holds(at(c.at)); got != c.want {
				t.Errorf("holds: %v", got)
			}
			next := ""
			if n := k.Next(at(c.at)); !n.IsZero() {
				next = n.Format("2006-01-02 15:04")
			}
			if next != c.next {
				t.Errorf("next: %s, want %s", next, c.next)
			}
		})
	}
}

// The two hours between 02:00 and 03:00 of the day on which the clock goes back are both in.
func TestCalendarHourTwice(t *testing.T) {
	k := calendar(t, "k", "Europe/Berlin", []string{"Sun 02:00-03:00"}, nil)
	for _, at := range []time.Time{time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)} {
		if !k.Holds(at) {
			t.Error(at.In(k.location))
		}
	}
	if k.Holds(time.Date(2026, 10, 25, 2, 0, 0, 0, time.UTC)) {
		t.Error("held after 03:00")
	}
}

// What ends within the hour that comes twice ends twice, and holds again between.
func TestCalendarEndsTwice(t *testing.T) {
	k := calendar(t, "k", "Europe/Berlin", []string{"Sun 01:00-02:30"}, nil)
	at := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC)
	var changes []string
	for range 4 {
		at = k.Next(at)
		changes = append(changes, at.Format("15:04 -07"))
	}
	if want := []string{"01:00 +02", "02:30 +02", "02:00 +01", "02:30 +01"}; !slices.Equal(changes, want) {
		t.Errorf("%q, want %q", changes, want)
	}
}

// manyValues are arguments within the bound of a call's size, and beyond that of conditions.
var manyValues = []byte(`{"count":3,"list":[` + strings.Repeat("1,", maxValues) + `1]}`)

func TestParseCalendarRefuses(t *testing.T) {
	for _, c := range []struct{ zone, weekly, dated, says string }{
		{"Europe/Berlinn", "Mon 08:00-18:00", "", "time_zone"}, {"", "Mon 08:00-18:00", "", "time_zone"}, {"Local", "Mon 08:00-18:00", "", "time_zone"},
		{"UTC", "Mo 08:00-18:00", "", "weekly[0]"}, {"UTC", "Mon 8-18", "", "weekly[0]"}, {"UTC", "Mon 08:00-08:00", "", "weekly[0]"},
		{"UTC", "Mon 08:00-24:01", "", "weekly[0]"}, {"UTC", "Mon 24:00-08:00", "", "weekly[0]"}, {"UTC", "Mon", "", "weekly[0]"}, {"UTC", "Mon 08:60-18:00", "", "weekly[0]"},
		{"UTC", "", "2026-12-20", "dated[0]"}, {"UTC", "", "2026-12-20 to 2026-12-19", "an end after the start"},
		{"UTC", "", "2026-12-20 to 2026-12-27 08:00", "dated[0]"}, {"UTC", "", "2026-13-20 to 2027-01-01", "dated[0]"}, {"UTC", "", "", "neither"},
	} {
		list := func(s string) []string { return slices.DeleteFunc([]string{s}, func(s string) bool { return s == "" }) }
		if _, faults := ParseCalendar("k", c.zone, list(c.weekly), list(c.dated)); len(faults) != 1 || !strings.Contains(faults[0].String(), c.says) {
			t.Errorf("%+v: %v", c, faults)
		}
	}
}

func TestUntil(t *testing.T) {
	c, err := Compile(`during("change-freeze") || !during("business-hours")`, names(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Until(time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC)).Format(time.RFC3339); got != "2026-12-01T08:00:00+01:00" {
		t.Error(got)
	}
	if c, err = Compile(`rows > 1`, names(t)); err != nil || !c.Until(time.Now()).IsZero() {
		t.Error(err, "a condition without a calendar changes never")
	}
}

// What a condition reads of few arguments is only what it asks for by name, and it answers as
// if it had read them all.
func TestMembersAreThoseAskedFor(t *testing.T) {
	for source, want := range map[string][]string{
		`rows > 1`:                               {},
		`arguments.a == 1`:                       {"a"},
		`arguments.b.c == 1 && has(arguments.a)`: {"a", "b"},
		`arguments["sobject-name"] == "A" && arguments.a == arguments["a"]`: {"a", "sobject-name"},
		`arguments[tool] == 1`:                     nil,
		`"a" in arguments`:                         nil,
		`size(arguments) == 1 || arguments.a == 1`: nil,
		`arguments == {"a": 1}`:                    nil,
		`{"a": 1}[arguments.a] == 1`:               {"a"},
	} {
		c, err := Compile(source, names(t))
		if err != nil {
			t.Fatal(source, err)
		}
		if !slices.Equal(c.members, want) || (c.members == nil) != (want == nil) {
			t.Errorf("%s: %q, want %q", source, c.members, want)
		}
		for _, arguments := range []string{`{}`, `{"a":1}`, `{"x":{"y":[1,{"z":"a"}],"a":2},"b":{"c":1,"d":[]},"a":1}`, `{"\u0061":1}`, `{"a":1,"\u0061x":2}`,
			`{"x":1e999,"a":1}`, `{"a":1,"x":[[1e999]]}`, `{"a":1,"x":{"y":-1e999}}`, `{"a":1e999}`, `{"a":` + strings.Repeat("9", 400) + `}`, `{"a":1.5e3,"x":"1e5"}`, `{"a":"\u0041"}`, `{"a":null,"b":{"c":[1,{"d":true}]}}`, `{"a":1,`, `{"a":1,"x":tru}`, `[1]`, `1`, `{"a":99999999999999999999}`,
			`{"a":1,"x":[` + strings.Repeat("1,", 500) + `1]}`, `{"a":1,"x":[` + strings.Repeat("1,", maxValues) + `1]}`, `{"a":1,"sobject-name":"A"}`} {
			few, all := call(), call()
			few.Arguments, all.Arguments = []byte(arguments), []byte(arguments)
			held, err := c.Holds(few)
			c.members = nil
			other, failed := c.Holds(all)
			c.members = want
			if held != other || (err == nil) != (failed == nil) || err != nil && err.Error() != failed.Error() {
				t.Errorf("%s of %.60s: %v, %v; reading all: %v, %v", source, arguments, held, err, other, failed)
			}
			if read := found(call(), arguments); read != nil {
				if other, failed := c.Holds(read); held != other || (err == nil) != (failed == nil) || err != nil && err.Error() != failed.Error() {
					t.Errorf("%s of %.60s: %v, %v; of members that were read: %v, %v", source, arguments, held, err, other, failed)
				}
			}
		}
	}
}

// found is a call with arguments that were read already, as all are that reach a rule; nil: they
// are no object.
func found(c *Call, arguments string) *Call {
	var members map[string]jsontext.Value
	if err := json.Unmarshal([]byte(arguments), &members); err != nil || members == nil {
		return nil
	}
	c.Arguments = []byte(arguments)
	c.Member = func(name string) (jsontext.Value, bool) { value, ok := members[name]; return value, ok }
	return c
}

func BenchmarkHolds(b *testing.B) {
	for name, source := range map[string]string{
		"caller":    `principal.username.endsWith("@acme.example") && "leads" in principal.groups`,
		"network":   `source.in_network("10.0.0.0/8")`,
		"calendar":  `class == "update" && !during("change-freeze")`,
		"reaches":   `reaches("Account") && rows <= 200`,
		"hours":     `now.getHours() >= 8 && now.getHours() < 18`,
		"arguments": `arguments.count == 3`,
		"zone":      `now.getHours("Europe/Berlin") >= 8`,
	} {
		b.Run(name, func(b *testing.B) {
			c, err := Compile(source, names(b))
			if err != nil {
				b.Fatal(err)
			}
			about := found(call(), string(call().Arguments))
			b.ReportAllocs()
			for b.Loop() {
				about.arguments = nil
				if _, err := c.Holds(about); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A call with as many values as can be costs about as much as the bound allows.
func BenchmarkHoldsHostile(b *testing.B) {
	for name, arguments := range map[string]string{
		"many values": `{"count":3,"list":[` + strings.Repeat("1,", 500_000) + `1]}`,
		"one text":    `{"count":3,"text":"` + strings.Repeat("x", 1_000_000) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			c, err := Compile(`arguments.count == 3`, names(b))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				about := call()
				about.Arguments = []byte(arguments)
				c.Holds(about)
			}
		})
	}
}

// Whatever is written, compiling and asking end, and only true and false are answers.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{`rows > 1`, `reaches("Account") && arguments.a.b == [1, {"x": 2}]`, `principal.groups.exists(g, g == "a")`,
		`source.in_network("10.0.0.0/8")`, `now.getHours("Europe/Berlin") > 8`, `has(arguments.x) ? arguments.x : false`, `during("business-hours")`} {
		f.Add(seed, `{"a":{"b":[1]},"x":true}`)
	}
	f.Fuzz(func(t *testing.T, source, arguments string) {
		c, err := Compile(source, names(t))
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 4*MaxSource {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
			return
		}
		about := call()
		about.Arguments = []byte(arguments)
		held, err := c.Holds(about)
		if held && err != nil {
			t.Error("true and an error")
		}
		whole, own := call(), c.members
		whole.Arguments, c.members = about.Arguments, nil
		if other, failed := c.Holds(whole); other != held || (err == nil) != (failed == nil) {
			t.Errorf("%v, %v of its own members, %v, %v of all", held, err, other, failed)
		}
		c.members = own
		if read := found(call(), arguments); read != nil {
			if other, failed := c.Holds(read); other != held || (err == nil) != (failed == nil) {
				t.Errorf("%v, %v when read here, %v, %v of members that were read", held, err, other, failed)
			}
		}
		c.Until(about.Now)
	})
}

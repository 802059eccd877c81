package records

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The people and the seeded records that tests name.
const (
	repID     = "005xx000001Sv6AAAS"
	managerID = "005xx000001Sv7AAAS"
)

var (
	northwindID = RecordID("001", 1)
	heliosID    = RecordID("001", 3)
)

var testNow = time.Date(2026, time.March, 10, 15, 0, 0, 0, time.UTC)

func testUsers() []User {
	return []User{
		{ID: repID, Username: "rep@acme.example", Name: "Riley Reyes", Email: "rep@acme.example", Profile: "Sales User",
			Role: "Account Executive", Manager: "Morgan Adeyemi", Timezone: "America/New_York", HiddenObjects: []string{"Secret__c"}},
		{ID: managerID, Username: "manager@acme.example", Name: "Morgan Adeyemi", Email: "manager@acme.example", Profile: "Sales Manager",
			Role: "VP Sales", Timezone: "America/New_York"},
	}
}

func rep() *User     { return &testUsers()[0] }
func manager() *User { return &testUsers()[1] }

func testStore(t testing.TB) *Store {
	t.Helper()
	d, err := Open(Config{Now: func() time.Time { return testNow }, Users: testUsers()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reader asks one store as one user.
type reader struct {
	t testing.TB
	d *Store
	u *User
}

func readAs(t testing.TB, u *User) reader { return reader{t, testStore(t), u} }

// do runs one View's work and returns what it answered, as JSON, and why it was refused.
func (c reader) do(work func(*View) (Object, *Error)) (text string, refused *Error) {
	c.d.Do(c.u, func(v *View) {
		var o Object
		if o, refused = work(v); refused == nil {
			text = string(Encode(o))
		}
	})
	return text, refused
}

func (c reader) query(q string) (string, *Error) {
	return c.do(func(v *View) (Object, *Error) { return v.Query(q) })
}

// code is the code with which a query is refused, "" for one that is answered.
func (c reader) code(q string) string {
	if _, refused := c.query(q); refused != nil {
		return refused.Code
	}
	return ""
}

// answer runs a query that must succeed.
func (c reader) answer(q string) map[string]any {
	c.t.Helper()
	text, refused := c.query(q)
	if refused != nil {
		c.t.Fatalf("%s: %v", q, refused)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.t.Fatalf("%s: %v", q, err)
	}
	return answer
}

// soql runs a query that must succeed and returns its records.
func (c reader) soql(q string) []any {
	c.t.Helper()
	return c.answer(q)["records"].([]any)
}

// column runs a query and joins one field of its records.
func (c reader) column(q, field string) string {
	c.t.Helper()
	var out []string
	for _, r := range c.soql(q) {
		text, _ := r.(map[string]any)[field].(string)
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// create makes a record and returns its id.
func (c reader) create(object string, body map[string]any) string {
	c.t.Helper()
	id := ""
	if _, refused := c.do(func(v *View) (o Object, refused *Error) {
		id, refused = v.Create(object, body)
		return o, refused
	}); refused != nil {
		c.t.Fatalf("creating %s: %v", object, refused)
	}
	return id
}

// TestFileIsIndexed: after a restart each record is found by its id, deleted ones too.
func TestFileIsIndexed(t *testing.T) {
	t.Parallel()
	cfg := Config{Now: func() time.Time { return testNow }, Users: testUsers(), File: filepath.Join(t.TempDir(), "records")}
	before, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	gone := RecordID("00Q", 1)
	before.Do(rep(), func(v *View) { v.Delete("Lead", gone) })
	after, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, rows := range after.rows {
		for _, r := range rows {
			if n++; after.byID[r.id] != r {
				t.Errorf("%s is not found by its id", r.id)
			}
		}
	}
	if n == 0 || n != len(after.byID) || len(after.byID) != len(before.byID) {
		t.Errorf("%d records, %d ids, %d before", n, len(after.byID), len(before.byID))
	}
	if r := after.byID[gone]; r == nil || r.live() {
		t.Errorf("deleted record %+v", r)
	}
	if info, err := os.Stat(cfg.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v; want it readable by its owner alone", info, err)
	}
}

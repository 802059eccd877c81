package salesforcesim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// keptConfig is a configuration whose state and records are in a folder of the test.
func keptConfig(t *testing.T) Config {
	return Config{BaseURL: "http://sim.example", StateFile: filepath.Join(t.TempDir(), "state.json"),
		Now: newClock().Now}
}

func newSim(t *testing.T, cfg Config) *Sim {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// callSim runs tools of an org as the manager.
func callSim(t *testing.T, s *Sim, org string) toolClient {
	return toolClient{t: t, d: s.org(org).data, u: manager(), server: "platform/sobject-all"}
}

// everything is all that an org knows of its records, those in the Recycle Bin included.
func everything(s *Sim, org string) map[string]any {
	content, err := s.org(org).data.Snapshot()
	if err != nil {
		panic(err)
	}
	var all map[string]any
	if err := json.Unmarshal(content, &all); err != nil {
		panic(err)
	}
	return all
}

// TestRecordsSurviveRestart: the first simulator is never closed, as though it had been
// killed after its last answer.
func TestRecordsSurviveRestart(t *testing.T) {
	t.Parallel()
	cfg := keptConfig(t)
	s := newSim(t, cfg)
	c := callSim(t, s, "")
	kept := c.create("Account", `{"Name":"Kept & <kept>","AnnualRevenue":0.1,"NumberOfEmployees":7}`)
	gone := c.create("Lead", `{"LastName":"Gone","Company":"Binned"}`)
	c.update("Account", northwindID, `{"Rating":"Cold","Description":null}`)
	c.remove("Lead", gone)
	before := everything(s, "")

	again := newSim(t, cfg)
	if diff := cmp.Diff(before, everything(again, "")); diff != "" {
		t.Fatalf("after a restart (-before +after):\n%s", diff)
	}
	c = callSim(t, again, "")
	if got := c.column("SELECT Name FROM Account WHERE Id = '"+kept+"'", "Name"); got != "Kept & <kept>" {
		t.Errorf("created before the restart: %q", got)
	}
	if got := c.call("undeleteSobjectRecord", `{"sobject-name":"Lead","id":"`+gone+`"}`).code(t); got != "" {
		t.Errorf("undelete after a restart: %s", got)
	}
	if id := c.create("Lead", `{"LastName":"New","Company":"Fresh"}`); id == gone || len(id) != 18 {
		t.Errorf("id %q after a restart, %q before", id, gone)
	}
}

// TestRecordsInFileBeforeAnswer: whatever the server and the way of calling, a restart
// right after an answer knows what was answered.
func TestRecordsInFileBeforeAnswer(t *testing.T) {
	t.Parallel()
	cfg := keptConfig(t)
	running := start(t, Config{StateFile: cfg.StateFile})
	c := connect(t, running, "platform/sobject-all")
	for i := range 3 {
		name := fmt.Sprintf("Answered %d", i)
		if r := c.post(createAccount(name)); r.status != 200 {
			t.Fatalf("create: %d %s", r.status, r.body)
		}
		again := newSim(t, cfg)
		if diff := cmp.Diff(running.Records("", "Account"), again.Records("", "Account")); diff != "" {
			t.Errorf("after %q (-answered +kept):\n%s", name, diff)
		}
	}
	for _, tt := range []struct{ server, tool, args string }{
		{"platform/headless-360", "dispatch",
			`{"method":"POST","url":"/services/data/v65.0/sobjects/Account","body":{"Name":"By REST"}}`},
		{"custom/AcmeOps", "createAccountWithOpportunity", `{"inputs":[
			{"accountName":"By Apex","opportunityName":"o","closeDate":"2026-12-01"},
			{"accountName":"Rolled back","opportunityName":"o","closeDate":"never"}]}`},
	} {
		client := callSim(t, running.Sim, "")
		client.server = tt.server
		if r := client.call(tt.tool, tt.args); r.IsError {
			t.Fatalf("%s: %s", tt.tool, r.text())
		}
		if diff := cmp.Diff(everything(running.Sim, ""), everything(newSim(t, cfg), "")); diff != "" {
			t.Errorf("%s (-answered +kept):\n%s", tt.tool, diff)
		}
	}
}

// TestSeededRecordsSurviveRestart: the dates of the seed are those of the first start.
func TestSeededRecordsSurviveRestart(t *testing.T) {
	t.Parallel()
	cfg := keptConfig(t)
	before := everything(newSim(t, cfg), "")
	later := newClock()
	later.Advance(1000 * records.BinTime)
	cfg.Now = later.Now
	if diff := cmp.Diff(before, everything(newSim(t, cfg), "")); diff != "" {
		t.Errorf("after a restart (-before +after):\n%s", diff)
	}
}

func TestRecordsOfOrgsAreKeptApart(t *testing.T) {
	t.Parallel()
	cfg := keptConfig(t)
	cfg.Orgs = []Org{{Name: "one", ID: OrgID}, {Name: "two", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}}
	s := newSim(t, cfg)
	first := callSim(t, s, "one").create("Account", `{"Name":"Of one"}`)
	second := callSim(t, s, "two").create("Account", `{"Name":"Of two"}`)
	if first != second {
		t.Fatalf("ids %s and %s: the orgs do not count apart", first, second)
	}
	again := newSim(t, cfg)
	for org, want := range map[string]string{"one": "Of one", "two": "Of two"} {
		if got := callSim(t, again, org).column("SELECT Name FROM Account WHERE Id = '"+first+"'", "Name"); got != want {
			t.Errorf("org %s: %q", org, got)
		}
	}
}

// TestRecordsSurviveKill kills a process with SIGKILL while it writes. Every record whose
// creation it had answered must be there.
func TestRecordsSurviveKill(t *testing.T) {
	t.Parallel()
	const variable = "SALESFORCESIM_TEST_STATE"
	if file := os.Getenv(variable); file != "" { // the process to be killed
		for c := callSim(t, newSim(t, Config{BaseURL: "http://sim.example", StateFile: file}), ""); ; {
			fmt.Println("created " + c.create("Account", `{"Name":"Before the kill"}`))
		}
	}
	cfg := keptConfig(t)
	victim := exec.Command(os.Args[0], "-test.run=^TestRecordsSurviveKill$")
	victim.Env = append(os.Environ(), variable+"="+cfg.StateFile)
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "created "); ok {
			ids = append(ids, id)
		}
		if len(ids) == 20 {
			victim.Process.Kill() // lines that it has already written still come
		}
	}
	victim.Wait()
	if len(ids) < 20 {
		t.Fatalf("%d records before the process ended", len(ids))
	}
	d := newSim(t, cfg).orgs[0].data
	for _, id := range ids {
		d.Do(manager().person(), func(v *records.View) {
			if _, refused := v.Card(id); refused != nil {
				t.Errorf("%s was answered and is lost: %v", id, refused)
			}
		})
	}
}

// TestRecordFileIsReplaced: what a file holds is never overwritten in place, so nobody,
// a restart after a crash least of all, finds half of it.
func TestRecordFileIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSim(t, keptConfig(t))
	file := s.recordFile(s.orgs[0])
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, file+".old"); err != nil {
		t.Skip("no hard links here:", err)
	}
	callSim(t, s, "").create("Account", `{"Name":"New"}`)
	old, err := os.ReadFile(file + ".old")
	if err != nil || !bytes.Equal(old, before) {
		t.Errorf("the old content was overwritten: %v", err)
	}
	if now, err := os.ReadFile(file); err != nil || bytes.Equal(now, before) {
		t.Errorf("the file has no new content: %v", err)
	}
}

// TestResetOfKeptRecords: calls under way do not bring back what a reset forgot.
func TestResetOfKeptRecords(t *testing.T) {
	t.Parallel()
	cfg := keptConfig(t)
	s := newSim(t, cfg)
	seeded := everything(s, "")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 10 {
				callSim(t, s, "").create("Account", `{"Name":"Busy"}`)
			}
		})
	}
	for range 5 {
		s.Reset()
	}
	wg.Wait()
	if diff := cmp.Diff(everything(s, ""), everything(newSim(t, cfg), "")); diff != "" {
		t.Errorf("after calls and resets (-memory +file):\n%s", diff)
	}
	s.Reset()
	if diff := cmp.Diff(seeded, everything(newSim(t, cfg), "")); diff != "" {
		t.Errorf("after a reset (-seeded +kept):\n%s", diff)
	}
}

func TestBadRecordFile(t *testing.T) {
	t.Parallel()
	row := `{"Values":{"Id":"` + northwindID + `"}}`
	for name, test := range map[string]struct{ content, want string }{
		"empty":          {``, "unexpected end"},
		"cut off":        {`{"Records":{"Account":[` + row, "unexpected end"},
		"no such object": {`{"Records":{"Acount":[` + row + `]}}`, "no such object"},
		"other prefix":   {`{"Records":{"Lead":[` + row + `]}}`, "want an id"},
		"no values":      {`{"Records":{"Account":[{}]}}`, "want an id"},
		"same id twice":  {`{"Records":{"Account":[` + row + `,` + row + `]}}`, "once"},
	} {
		cfg := keptConfig(t)
		file := cfg.StateFile + ".acme.records"
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(file); err != nil || string(content) != test.content {
			t.Errorf("%s: the file was touched: %v, %.60q", name, err, content)
		}
	}
	missing := keptConfig(t)
	missing.StateFile = filepath.Join(filepath.Dir(missing.StateFile), "no", "folder", "state.json")
	if _, err := New(missing); err == nil {
		t.Error("a folder that does not exist is accepted")
	}
}

// TestRecordsThatCannotBeSaved: the simulator says so in its log, works on, and catches up.
func TestRecordsThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := keptConfig(t)
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := newSim(t, cfg)
	folder := filepath.Dir(cfg.StateFile)
	if err := os.Rename(folder, folder+"-away"); err != nil {
		t.Fatal(err)
	}
	c := callSim(t, s, "")
	if id := c.create("Account", `{"Name":"Unsaved"}`); len(id) != 18 {
		t.Errorf("create: %s", id)
	}
	if !strings.Contains(log.String(), "saving the simulator's records") {
		t.Errorf("log: %q", log.String())
	}
	if err := os.Rename(folder+"-away", folder); err != nil {
		t.Fatal(err)
	}
	c.call("getUserInfo", `{}`)
	if diff := cmp.Diff(everything(s, ""), everything(newSim(t, cfg), "")); diff != "" {
		t.Errorf("after the folder came back (-memory +file):\n%s", diff)
	}
	if left, err := filepath.Glob(filepath.Join(folder, ".salesforcesim-*")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

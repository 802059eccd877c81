package approval

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// childEnv makes the test program one process that takes orders: "KEYS WRITES URL".
const childEnv = "APPROVAL_TEST_CHILD"

// order is one thing that a process is told to do.
type order struct {
	Do     string // submit, approve, deny, counter, void, spend
	Key    int    // which call
	ID     string
	Human  string
	Factor string
	Author string
	Now    time.Time
	Roles  map[string][]string // who holds which at the moment
}

// outcome is what became of an order.
type outcome struct {
	ID    string
	State State
	Error string // "" or one of the words of errorWord
}

// errorWord names an error for a model.
func errorWord(err error) string {
	for word, sentinel := range map[string]error{"gone": ErrGone, "already": ErrAlready, "not approver": ErrNotApprover, "not approved": ErrNotApproved, "proposal": ErrProposal} {
		if errors.Is(err, sentinel) {
			return word
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// rosterOf is [People] of an order.
type rosterOf map[string][]string

func (r rosterOf) HumanOf(_ context.Context, org, subject string) (string, error) {
	return SalesforceHuman(org, subject), nil
}

func (r rosterOf) Called(context.Context, string) ([]string, error) {
	return nil, nil
}

func (r rosterOf) Holds(_ context.Context, human, role string) (bool, error) {
	return slices.Contains(r[human], role), nil
}

// machineCall is the call of that number, under a rule that asks two roles.
func machineCall(key int) Binding {
	b := binding(fmt.Sprint("call ", key)).by("role:a and role:b")
	b.Subject = fmt.Sprint("005M", key/10) // of one user no more wait than may
	return b
}

// do carries out an order. A call that is spent is made: it is a line of writes.
func (o order) do(s *Store, writes string) (out outcome) {
	ctx := context.Background()
	var r *Request
	var err error
	switch o.Do {
	case "submit":
		r, err = s.Submit(ctx, machineCall(o.Key), "create")
	case "approve":
		r, err = s.Approve(ctx, o.ID, Decision{By: actor.User(o.Human), Human: o.Human, Factor: o.Factor, Role: o.Factor})
	case "deny":
		r, err = s.Deny(ctx, o.ID, actor.User(o.Human), "no")
	case "counter":
		r, err = s.Counter(ctx, o.ID, actor.User(o.Human), o.Human, machineCall(o.Key+1).Arguments)
	case "void":
		_, err = s.Void(ctx, VoidFilter{ID: o.ID}, "revoked")
	case "spend":
		if r, err = s.Spend(ctx, machineCall(o.Key)); err == nil {
			if err = appendLine(writes, r.ID); err == nil {
				err = s.Settle(ctx, r.ID, Done, []byte("{}"))
			}
		}
	}
	out.Error = errorWord(err)
	if r != nil {
		out.ID, out.State = r.ID, r.State
	}
	return out
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// serveChild takes orders from standard input and answers each, until there is no more.
func serveChild() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	keys, rest, _ := strings.Cut(os.Getenv(childEnv), " ")
	writes, url, _ := strings.Cut(rest, " ")
	ring, err := seal.LoadKeyRing(keys)
	fail(err)
	d, err := db.Open(context.Background(), db.Config{URL: url})
	fail(err)
	fail(d.Claim(context.Background(), ring))
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			os.Exit(0)
		} else {
			fail(err)
		}
		s, err := New(Config{DB: d, Ring: ring, Lifetime: lifetime, Now: func() time.Time { return o.Now }, People: rosterOf(o.Roles)})
		fail(err)
		fail(answers.Encode(o.do(s, writes)))
	}
}

// child is such a process.
type child struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

func startChild(t testing.TB, keys, writes, url string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childEnv+"="+keys+" "+writes+" "+url)
	c.cmd.Stderr = os.Stderr
	var err error
	if c.orders, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.answers = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// send gives an order, answer waits for what became of it.
func (c *child) send(o order) error { return json.NewEncoder(c.orders).Encode(o) }

func (c *child) answer() (out outcome, err error) {
	line, err := c.answers.ReadBytes('\n')
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(line, &out)
}

// kill ends the process at once, wherever it is (SIGKILL).
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	_, _ = io.Copy(io.Discard, c.answers)
	_ = c.cmd.Wait() // which says that it was killed
}

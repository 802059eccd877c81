package authproxy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgconn"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/seal"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// colleague decides about the calls of others, by the command line.
var colleague = approval.Decider{Actor: actor.Operator("alice", "ann"), Roles: []string{"security"}}

// held has a call wait for somebody else.
func (t *try) held() int {
	t.Helper()
	t.connected(1)
	a, err := t.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: "acme", Subject: sim.RepID, ClientID: "chatgpt", GrantID: t.id, Server: "sales", Tool: "createSobjectRecord", DefinitionHash: "d",
		PolicyVersion: "p", Arguments: jsontext.Value(`{"n":"` + seal.Secret("n") + `"}`), Confirmation: policy.Confirmation{Approvers: "role:security"}}, "create")
	t.must(err)
	t.id = a.ID
	return 1
}

// made has a call be made that can be taken back.
func (t *try) made() int {
	t.Helper()
	_, err := t.Cutoff.Approvals.Void(t.Context(), approval.VoidFilter{Org: "acme", Subject: sim.RepID}, "anew")
	t.must(err)
	t.waiting()
	a, err := t.Cutoff.Approvals.Get(t.Context(), t.id)
	t.must(err)
	_, err = t.decisions().Decide(t.Context(), approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, t.id, approval.Choice{Approve: true})
	t.must(err)
	_, err = t.Cutoff.Approvals.Spend(t.Context(), approval.Binding{Org: a.Org, Subject: a.Subject, ClientID: a.ClientID, GrantID: a.GrantID, Server: a.Server, Tool: a.Tool,
		DefinitionHash: a.DefinitionHash, PolicyVersion: a.PolicyVersion, Arguments: a.Arguments, Confirmation: a.Confirmation})
	t.must(err)
	t.must(t.Cutoff.Approvals.Settle(t.Context(), t.id, approval.Done, nil))
	t.must(t.Cutoff.Approvals.SaveCheck(t.Context(), t.id, approval.Intended, &approval.Images{}))
	return 1
}

// isMade is 0 if a token of that name is good.
func (t *try) isMade(name string) int {
	t.Helper()
	all, err := t.Cutoff.Tokens.List(t.Context())
	t.must(err)
	return is(slices.ContainsFunc(all, func(a apitoken.Token) bool { return a.Name == name && a.State(t.clock.Now()) == "good" }), nil)
}

// moreActs are those of the table by which people say who they are, and go on with calls, and by which programs are let in.
func moreActs() []act {
	return []act{
		{name: "link a user to a person", action: audit.PersonLink, gives: true, asks: true,
			ready: func(t *try) int {
				if err := t.Cutoff.People.Unlink(t.Context(), "acme", sim.RepID); !errors.Is(err, people.ErrNotFound) {
					t.must(err)
				}
				return 1
			},
			left: func(t *try) int {
				l, err := t.Cutoff.People.LinkOf(t.Context(), "acme", sim.RepID)
				return is(l != nil, err)
			},
			do: func(t *try) error {
				return t.Cutoff.Link(t.ctx, people.Link{Org: "acme", Subject: sim.RepID, Issuer: idp, Person: "ann"})
			}},
		{name: "create a program's token", action: audit.APITokenCreate, gives: true, asks: true,
			ready: func(t *try) int {
				all, err := t.Cutoff.Tokens.List(t.Context())
				t.must(err)
				for _, a := range all {
					if _, err := t.Cutoff.Tokens.Revoke(t.Context(), a.ID); !errors.Is(err, apitoken.ErrNotFound) {
						t.must(err)
					}
				}
				return 1
			},
			left: func(t *try) int { return t.isMade("siem") },
			do: func(t *try) error {
				_, _, err := t.Cutoff.CreateAPIToken(t.ctx, apitoken.Wanted{Name: "siem", Role: "security", Lifetime: time.Hour, By: byAdmin.By}, "alarms")
				return err
			}},
		{name: "propose other values", action: audit.ApprovalDecide, gives: true, asks: true, ready: (*try).held,
			left: func(t *try) int { return t.isDecided(approval.Countered) },
			do: func(t *try) error {
				_, err := t.decisions().Counter(t.ctx, colleague, t.id, jsontext.Value(`{"n":"`+seal.Secret("n")+`"}`))
				return err
			}},
		{name: "ask to undo a call", action: audit.ApprovalUndo, gives: true, asks: true, ready: (*try).made,
			left: func(t *try) int {
				a, err := t.Cutoff.Approvals.Get(t.Context(), t.id)
				return is(err == nil && a.Undo != nil, err)
			},
			do: func(t *try) error {
				_, err := t.decisions().Undo(t.ctx, approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, t.id)
				return err
			}},
	}
}

// AU-08: of what the database may have done and did not answer, the log does not say that it failed.
func TestAU08ActWithoutAnAnswerIsNotKnown(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	lost := fmt.Errorf("committing: %w", io.ErrUnexpectedEOF)
	for name, tt := range map[string]struct {
		result audit.Result
		err    error
		want   audit.Outcome
	}{
		"done":                     {audit.Result{}, nil, audit.OK},
		"no answer":                {audit.Result{}, lost, audit.Unknown},
		"no answer in time":        {audit.Result{}, fmt.Errorf("committing: %w", context.DeadlineExceeded), audit.Unknown},
		"no answer to a pooler":    {audit.Result{}, &pgconn.PgError{Code: "08P01"}, audit.Unknown},
		"no answer, and found out": {audit.Result{Reason: "not approved"}, lost, audit.Failed},
		"no connection":            {audit.Result{}, driver.ErrBadConn, audit.Failed},
		"refused by the database":  {audit.Result{}, &pgconn.PgError{Code: "57014"}, audit.Failed},
		"refused":                  {audit.Result{Outcome: audit.Denied}, people.ErrLinked, audit.Denied},
		"failed":                   {audit.Result{}, apitoken.ErrTooMany, audit.Failed},
		"gone":                     {audit.Result{}, context.Canceled, audit.Failed},
	} {
		before := len(f.audited(t, audit.PersonLink))
		if err := Give(t.Context(), f.Audit, audit.Entry{Actor: byAdmin.By, Action: audit.PersonLink}, func(context.Context) (audit.Result, error) { return tt.result, tt.err }); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", name, err)
		}
		if all := f.audited(t, audit.PersonLink)[before:]; len(all) != 2 || all[1].Outcome != tt.want {
			t.Errorf("%s: recorded as %+v", name, all)
		}
	}
}

// begunElsewhere are the functions that record by themselves, as long as the caller is there, and why they may.
var begunElsewhere = map[string]string{
	"authproxy/evidence.go Evidence":         "what is read is given out once the entry is there",
	"authproxy/reapply.go RecordReapplied":   "at the start, for nobody",
	"authproxy/reviews.go decide":            "that access is kept is the entry, and nothing else",
	"doctor/calls.go ask":                    "asks Salesforce, and changes nothing",
	"sfmcp-proxy/auditread.go readLog":       "what is read is given out once the entry is there",
	"sfmcp-proxy/exports.go testExport":      "sends an entry that is marked as a test, and changes nothing",
	"sfmcp-proxy/migrate.go record":          "the move is done, and the command cannot be interrupted any more",
	"sfmcp-proxy/policyreplay.go record":     "that it was replayed is the entry, and nothing else",
	"sfmcp-proxy/reconcile.go reconcileLogs": "changes nothing",
	"sfmcp-proxy/report.go makeReport":       "changes nothing",
	"sfmcp-proxy/stophere.go recordStop":     "for nobody: the process records what it finds",
	"team/incident.go evidence":              "what is read is given out once the entry is there",
}

// SR-AD-2: every act begins in act.go: there are no entries of an intent, of an outcome, or of what was done, that any
// other function of what faces people makes by itself, so that a caller who goes could come in between.
func TestSRAD2ActsBeginInOnePlace(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, root := range []string{".", "console", filepath.Join("..", "cmd", "sfmcp-proxy")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && root == "." && path != root {
				return fs.SkipDir // the layers below
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "act.go" {
				return nil
			}
			for at, what := range beginnings(t, path) {
				abs, err := filepath.Abs(path)
				if err != nil {
					return err
				}
				name := filepath.Base(filepath.Dir(abs)) + "/" + filepath.Base(path) + " " + at
				if seen[name] = true; begunElsewhere[name] == "" {
					t.Errorf("%s: %s: begin the act by take or Give of act.go", name, what)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range begunElsewhere {
		if !seen[name] {
			t.Errorf("%s is not there any more, or begins nothing", name)
		}
	}
}

// beginnings are what the functions of a file begin by themselves, by the name of the function.
func beginnings(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		begun := map[ast.Node]bool{} // what stands in a call of take or give
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if slices.Contains([]string{"take", "Give", "give"}, lastName(n.Fun)) {
					for _, arg := range n.Args {
						ast.Inspect(arg, func(in ast.Node) bool { begun[in] = true; return true })
					}
				}
				if s, ok := n.Fun.(*ast.SelectorExpr); ok {
					switch {
					case s.Sel.Name == "Call" && len(n.Args) == 3:
						found[f.Name.Name] = "it records an intent and an outcome by itself"
					case s.Sel.Name == "Done" && len(n.Args) == 2 && !begun[n],
						s.Sel.Name == "Append" && len(n.Args) == 2 && isLog(s.X) && !begun[n] && !outlives(n.Args[0]):
						found[f.Name.Name] = "it records what was not begun by take, and only while the caller is there"
					}
				}
				for _, arg := range n.Args {
					if isIntent(arg) {
						found[f.Name.Name] = "it makes an intent by itself"
					}
				}
			case *ast.KeyValueExpr:
				if isIntent(n.Value) {
					found[f.Name.Name] = "it makes an intent by itself"
				}
			case *ast.AssignStmt:
				if slices.ContainsFunc(n.Rhs, isIntent) {
					found[f.Name.Name] = "it makes an intent by itself"
				}
			}
			return true
		})
	}
	return found
}

// lastName is the last part of a name with dots.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func isLog(e ast.Expr) bool { return slices.Contains([]string{"Audit", "audit", "log"}, lastName(e)) }

// outlives reports whether that context does not end with the caller's.
func outlives(e ast.Expr) bool {
	made, ok := e.(*ast.CallExpr)
	return ok && lastName(made.Fun) == "WithoutCancel"
}

func isIntent(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && lastName(s.X) == "audit" && s.Sel.Name == "Intent"
}

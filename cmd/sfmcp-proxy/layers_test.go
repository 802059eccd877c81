package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layer of every package. A package may import only packages of lower layers, so
// that each can be read, tested and replaced without its siblings.
var layer = map[string]int{
	"cmd/sfmcp-proxy": 7,
	"examples/bench":  7, // measures the program beside others; a program itself

	// Checks the audit log for those who do not trust it: imports nothing of ours.
	"examples/verifier": 0,

	// Says of built programs what is in them: reads what the linker wrote, imports nothing of ours.
	"examples/release": 0,

	// Breaks the product to see its tests fail; it reads source and imports none of it.
	"examples/mutants": 0,

	// They serve the command alone, and do not know the product.
	"cmd/sfmcp-proxy/demonstration": 4,
	"cmd/sfmcp-proxy/doctor":        4,
	"cmd/sfmcp-proxy/edge":          4,
	"cmd/sfmcp-proxy/listing":       4,
	"cmd/sfmcp-proxy/signals":       4,

	// Counts for people what audit and approval evidence tell of a time; the caller reads both.
	"authproxy/reports": 4,

	// config knows what every part accepts, and nothing else knows config.
	"config": 4,

	// The security team's pages show and do what is of every other part of authproxy.
	"authproxy/console/team": 6,
	"authproxy/console/api":  6, // the same for programs

	// Packs of evidence for whoever asks: the command line, the pages and programs.
	"authproxy/packing": 5,

	// What the security team looks at, for its pages and for programs.
	"authproxy/oversight": 4,

	// Joined in cmd by small interfaces.
	"authproxy":         4,
	"authproxy/console": 4,
	"mcpforward":        4,

	// Who may use what, for those above: what it admits is a grant, see its comment.
	"authproxy/access": 3,

	// Joins what approval and audit know of one request, into a record for people.
	"authproxy/approval/evidence": 3,

	// Reads access reviews from the audit log, which is all that they are kept in.
	"authproxy/review": 3,

	// Packs entries of the audit log with their proofs, and checks packs with a public key alone.
	"authproxy/pack": 3,

	// Who signed in with the company, which roles they hold, and which human is behind them:
	// what approvals ask, and pages show.
	"authproxy/people": 3,

	// Gives entries of the audit log to what a company collects logs with.
	"authproxy/audit/export": 3,

	// Which audit logs there are, and what each says of the others.
	"authproxy/audit/roster": 3,

	// Says what rules mean before any call; asks the policy, and nobody decides by it.
	"authproxy/policy/analysis": 2,

	// Each owns its tables or connections.
	"authproxy/client":   2,
	"authproxy/grant":    2,
	"authproxy/apitoken": 2,
	"authproxy/link":     2,
	"authproxy/approval": 2,
	"authproxy/audit":    2,
	"authproxy/budget":   2,
	"authproxy/outside":  2,
	"authproxy/notice":   2,

	// How records reach receivers of each kind, whatever they say.
	"authproxy/audit/destination": 2,

	"authproxy/ui":         2,
	"mcpforward/limit":     2,
	"mcpforward/records":   2,
	"mcpforward/schema":    2,
	"mcpforward/stream":    2,
	"mcpforward/upstream":  2,
	"authproxy/definition": 2,

	// Import leaves alone, or nothing of ours. clientdoc is apart from salesforce, whose client serves hosts
	// that the operator chose, because it goes where anybody can send it.
	"authproxy/clientdoc":               1,
	"authproxy/clientdoc/clientdoctest": 1, // for tests
	"authproxy/db":                      0, // below what keeps the audit log in it
	"authproxy/db/dbtest":               2, // for tests
	"authproxy/db/dbtest/rounds":        0, // for tests, also of what has no database
	"authproxy/db/reseal":               2, // all sealed columns, whoever owns them
	"authproxy/db/move":                 2, // all tables at once, whoever owns them
	"authproxy/policy":                  1,
	"authproxy/salesforce":              1,
	"authproxy/company":                 1, // speaks OpenID Connect with the company's provider
	"mcpforward/jsonrpc":                1,
	"mcpforward/traces":                 1, // speaks OTLP with a collector
	"mcpforward/preview":                1,

	// Leaves for leaves. Salesforce's keys and clients' keys are read by the same rules; a
	// query language knows nothing of what its queries may reach; a database is bound to
	// the keys that seal what lies in it.
	"authproxy/jwks":                   0,
	"authproxy/seal":                   -1,
	"authproxy/seal/awskms":            1, // sealing keys encrypted by AWS
	"authproxy/seal/pkcs11":            1, // sealing keys encrypted by a token
	"authproxy/seal/awskms/mototest":   0, // for tests
	"authproxy/seal/pkcs11/pkcs11test": 0, // for tests

	// What a call reaches is read from its query, and is what rules, conditions and masks are
	// about; conditions have their place between it and the rules.
	"authproxy/policy/soql":      -2,
	"authproxy/policy/reach":     -1,
	"authproxy/policy/condition": 0,
	"authproxy/policy/mask":      0, // what rules hide: the policy asks it about calls, mcpforward about answers

	// Which addresses are one party, for the edge and for tables that anybody can fill.
	"authproxy/party": 0,

	// One answer for all who ask at about the same time: of pages, and of what they show.
	"authproxy/shared": 0,

	// What a mistyped name was meant for: of users, tools, objects, keys.
	"authproxy/nearest": 0,

	// The way out through a company's forward proxy, for both that make connections.
	"authproxy/tunnel":            0,
	"authproxy/tunnel/tunneltest": 0, // for tests

	// Compares logs of others with calls, whoever has them.
	"authproxy/reconcile": 0,

	// Counts what became of calls that waited, whatever approval and audit are.
	"authproxy/approval/insights": 0,

	// How HTTP receivers are reached that the operator names, for notices and exports.
	"authproxy/receiver": 1,

	// Who acts, as audit and approval store it and pages compare it.
	"authproxy/actor": 0,

	// Finds records of the audit log's files; a leaf below the files themselves.
	"authproxy/audit/postings": 0,

	// Carries checkpoints of the audit log away, whatever they say.
	"authproxy/audit/publish": 0,

	// The tree over the audit log, which a reader of the log has without the rest of us.
	"authproxy/audit/tree":    0,
	"authproxy/audit/witness": 1, // asks others to cosign its checkpoints

	// Numbered records in files that only grow, whatever they say.
	"authproxy/audit/logfile": 0,
	"authproxy/audit/logrows": 1, // the same in the database

	// The simulated Salesforce must not share a mistake with the product.
	"examples/salesforcesim":         1,
	"examples/salesforcesim/records": 0,
	"examples/salesforcesim/rsakey":  0,

	// The simulated identity provider of a company.
	"examples/salesforcesim/companysim": 1,
}

const (
	module    = "sfmcp-proxy/"
	simulator = "examples/salesforcesim"
)

func TestImportsPointDownward(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && file != root || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		// Another module, which the product does not import.
		if _, err := os.Stat(filepath.Join(file, "go.mod")); entry.IsDir() && err == nil && file != root {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		from, known := layer[pkg]
		if !known {
			t.Errorf("%s is in no layer: add package %s to the table, with its reason", file, pkg)
			return nil
		}
		seen[pkg] = true
		checkImports(t, file, pkg, from)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range layer {
		if !seen[pkg] {
			t.Errorf("package %s of the table does not exist", pkg)
		}
	}
}

func checkImports(t *testing.T, file, pkg string, from int) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name, ours := strings.CutPrefix(imported, module)
		if !ours {
			continue
		}
		to, known := layer[name]
		switch {
		case !known:
			t.Errorf("%s imports %s, which is in no layer", file, name)
		case to >= from:
			t.Errorf("%s (layer %d) imports %s (layer %d): imports point downward only", file, from, name, to)
		case !strings.HasPrefix(pkg, "cmd/") && strings.HasPrefix(name, simulator) && !strings.HasPrefix(pkg, simulator):
			t.Errorf("%s imports the simulator: only cmd and tests may", file)
		case strings.HasPrefix(pkg, simulator) && !strings.HasPrefix(name, simulator):
			t.Errorf("%s imports %s: the simulator takes nothing from the product", file, name)
		case strings.HasPrefix(pkg, "authproxy") && strings.HasPrefix(name, "mcpforward"):
			t.Errorf("%s imports %s: nothing that decides depends on what moves", file, name)
		}
	}
}

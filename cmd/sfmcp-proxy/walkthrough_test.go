package main

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const walkthrough = "../../examples/walkthroughs/README.md"

// walker follows the walkthrough on a demonstration.
type walker struct {
	*demo
	folder   string // that the reader works in
	client   *mcpClient
	approval string
}

// doings are what the reader does in a client or a browser before the commands of a step.
func (w *walker) doings() map[string]func() {
	return map[string]func(){
		"2": func() {
			w.client = w.connect("sobject-all", rep)
			w.client.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 5"})
			w.client.send("tools/call", map[string]any{"name": "deleteSobjectRecord", "arguments": map[string]any{"sobject-name": "Account", "id": "001000000000000AAA"}})
			w.connect("sobject-all", manager)
		},
		"3": func() {
			w.approval = path.Base(w.approvalURL(w.client.call("createSobjectRecord", account("Nimbus Ltd"))))
		},
		"4": func() { w.client.call("createSobjectRecord", account("Nimbus Ltd")) },
	}
}

// words are the arguments of a command as a shell reads them, and where its output goes.
func words(line string) (args []string, into string) {
	for _, w := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(w, `'"`))
	}
	if i := slices.Index(args, ">"); i > 0 {
		return args[:i], args[i+1]
	}
	return args, ""
}

// run runs one command as the reader would in their folder.
func (w *walker) run(line string) {
	w.t.Helper()
	args, into := words(line)
	for i, arg := range args {
		switch {
		case arg == "pilot/sfmcp-proxy.yaml":
			args[i] = w.ConfigFile
		case arg == "apr_…":
			args[i] = w.approval
		case i > 0 && slices.Contains([]string{"--output", "--evidence", "--key", "verify"}, args[i-1]) && !strings.HasPrefix(arg, "--"):
			args[i] = filepath.Join(w.folder, arg)
		}
	}
	var out, errOut strings.Builder
	if status := run(context.Background(), args[1:], &out, &errOut); status != exitDone || args[0] != "sfmcp-proxy" {
		w.t.Errorf("%s: status %d\n%s%s", line, status, &out, &errOut)
	}
	if into != "" {
		if err := os.WriteFile(filepath.Join(w.folder, into), []byte(out.String()), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Whoever follows the walkthrough from its first line to its last gets what it says: each command
// succeeds, in this order.
func TestWalkthrough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(walkthrough)
	if err != nil {
		t.Fatal(err)
	}
	w := &walker{demo: startDemo(t), folder: t.TempDir()}
	doings := w.doings()
	n, inside := 0, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if step, isStep := strings.CutPrefix(line, "## "); isStep {
			number, _, _ := strings.Cut(step, ".")
			if do := doings[number]; do != nil {
				do()
			}
		}
		if inside && strings.HasPrefix(line, "sfmcp-proxy ") {
			n++
			w.run(line)
		}
		if strings.HasPrefix(line, "```") {
			inside = line == "```sh"
		}
	}
	page, err := os.ReadFile(filepath.Join(w.folder, "report.html"))
	if err != nil || !strings.Contains(string(page), "createSobjectRecord") || !strings.Contains(string(page), "<td>deleteSobjectRecord</td>") || !strings.Contains(string(page), "user.block") {
		t.Errorf("%v\n%s", err, page)
	}
	if n < 20 {
		t.Errorf("%d commands", n)
	}
}

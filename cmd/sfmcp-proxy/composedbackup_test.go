package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sfmcp-proxy/examples/salesforcesim"
)

// Blocks of commands of the handbook's page on running the composition, by the words before them.
const (
	composeBackup   = "in its own volume:"
	composeDatabase = "put back the database alone:**"
	composeAll      = "before any replica has started:"
)

// follow types what the handbook says for a backup or a restore, with this machine's folder for the backup. What Docker does to
// containers is done to processes.
func (h *composed) follow(block, backup string) (out string) {
	h.t.Helper()
	database := h.container("database")
	shell := strings.NewReplacer("/backup", backup, "docker compose cp --archive ", "cp -a ", "$r:/data", h.Dir+"/data-${r#replica-}", "docker compose exec -T database sh -c", "sh -c")
	before := "export PGHOST=" + filepath.Join(h.Dir, "of-database-var-run-postgresql") + " PGPORT=" + h.port + "; "
	_, page, _ := strings.Cut(read(h.t, filepath.Join("..", "..", "examples", "handbook", "operations.md")), "\n### With Docker Compose\n")
	_, lines, found := strings.Cut(page, block+"\n\n")
	lines, _, ends := strings.Cut(lines, "\n\n")
	if !found || !ends {
		h.t.Fatalf("the handbook has no commands after %q", block)
	}
	for line := range strings.SplitSeq(lines, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "   #")
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "docker compose stop "):
			h.stop()
		case strings.HasPrefix(line, "docker compose up -d --wait database"), strings.HasPrefix(line, "docker compose create "): // there already
		case strings.HasPrefix(line, "docker compose up "):
			h.ends("schema")
			h.ends("evidence")
			for name := range h.replicas {
				h.start(name)
			}
		case strings.HasPrefix(line, "docker compose run --rm --no-deps replica-1 "):
			for _, name := range slices.Sorted(maps.Keys(h.replicas)) { // and so on
				c := h.container(name)
				said, err := c.exec(c.translated(append([]string{"/sfmcp-proxy"}, words[6:]...))).CombinedOutput()
				if err != nil {
					h.t.Fatalf("%s in %s: %v\n%s", line, name, err, said)
				}
				out += string(said)
				if words[6] == "stop" { // once
					break
				}
			}
		default:
			h.types(before + database.here.Replace(shell.Replace(line)))
		}
	}
	return out
}

// stop ends all replicas as docker compose does.
func (h *composed) stop() {
	h.t.Helper()
	for name, r := range h.replicas {
		if err := r.process.Process.Signal(syscall.SIGTERM); err != nil {
			h.t.Fatal(err)
		}
		if err := r.process.Wait(); err != nil {
			h.t.Errorf("%s ends with %v", name, err)
		}
	}
}

// inReplica runs a command in the first replica, as docker compose exec does, and returns what it writes to standard output.
func (h *composed) inReplica(words ...string) string {
	h.t.Helper()
	c := h.container("replica-1")
	cmd := c.exec(c.translated(append(append([]string{"/sfmcp-proxy"}, words...), "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml")))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%v: %v\n%s%s", words, err, out, said.String())
	}
	return string(out)
}

// isRestored follows the handbook: a backup, then the database alone, where who was blocked after the backup is blocked; then
// everything into new volumes, where all is as at the time of the backup.
func (h *composed) isRestored(client *mcpClient) {
	t := h.t
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup")
	h.follow(composeBackup, backup)
	h.inReplica("user", "block", salesforcesim.ManagerID)
	if said := h.follow(composeDatabase, backup); !strings.Contains(said, "made again") || !strings.Contains(said, "acknowledged") {
		t.Errorf("the database alone: acknowledge says\n%s", said)
	}
	isBlocked := func() bool { // under a pseudonym, until they sign in: the key of who they are went with the database
		return strings.Contains(h.inReplica("user", "list", "--json"), `"blocked":true`)
	}
	if !isBlocked() {
		t.Error("the database alone: who was blocked after the backup is not")
	}
	h.verifiesTogether()
	h.stop()
	for _, volume := range []string{"data-1", "data-2", "data-3", "checkpoints"} {
		if err := os.RemoveAll(filepath.Join(h.Dir, volume)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(h.Dir, volume), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.types("export PGPASSWORD=$(cat secrets/postgres-password) PGHOST=" + filepath.Join(h.Dir, "of-database-var-run-postgresql") + " PGPORT=" + h.port +
		"; dropdb -U postgres proxy && createdb -U postgres proxy && psql -q -U postgres -d proxy -v ON_ERROR_STOP=1 -f " + filepath.Join(h.Dir, "database", "docker-entrypoint-initdb.d", "1-roles.sql"))
	h.follow(composeAll, backup)
	if stopped := h.inReplica("stop", "status"); strings.TrimSpace(stopped) != "all" {
		t.Errorf("everything: it is stopped: %s", stopped)
	}
	if isBlocked() {
		t.Error("everything: who was blocked after the backup is")
	}
	h.inReplica("stop", "off")
	if r := client.call("getUserInfo", map[string]any{}); r.Status != 200 || r.Result.IsError {
		t.Errorf("everything: a connection of before the backup: %d %s", r.Status, r.body)
	}
	h.verifiesTogether()
}

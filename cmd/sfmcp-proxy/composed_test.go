package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
)

// composed is the composition of examples, as processes of this machine.
type composed struct {
	composition
	dbtest.Place
	t         *testing.T
	d         *demo
	replicas  map[string]*replica
	here      []string // pairs for every container: addresses and names, and what they are here
	authority *dbtest.Authority
	public    string
	port      string // of the database
}

func startComposition(t *testing.T) *composed {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	need(t, "nginx", err == nil, "install nginx (Debian: apt-get install nginx-light)")
	h := &composed{composition: readComposition(t), Place: dbtest.NewPlace(t), t: t, replicas: map[string]*replica{},
		authority: dbtest.NewAuthority(t), public: freePort(t), port: callbackPort(t)}
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"https://" + h.public + "/oauth/callback"},
		TLS: &tls.Config{Certificates: []tls.Certificate{h.authority.Sign(t, "127.0.0.1", time.Now().Add(time.Hour))}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	h.here = []string{"https://mcp.example.com", "https://" + h.public, "listen 443", "listen " + h.public, "172.30.231.2/32", "127.0.0.1/32", "127.0.0.1:8081", freePort(t),
		"https://acme.my.salesforce.com", sim.BaseURL() + "\n      kind: production\n      allow_hosts: [\"" + strings.TrimPrefix(sim.BaseURL(), "https://") + "\"]",
		"https://api.salesforce.com", sim.BaseURL(), "https://chatgpt.com/connector/oauth/abc123", testCallback,
		"@database/", "@localhost:" + h.port + "/", "host=database ", "host=localhost port=" + h.port + " "}
	for i := range 3 {
		r := &replica{t: t, listen: freePort(t), adminL: freePort(t)}
		h.replicas[fmt.Sprintf("replica-%d", i+1)] = r
		h.here = append(h.here, fmt.Sprintf("172.30.231.1%d:8080", i+1), r.listen)
	}
	h.makeSecrets()
	h.startDatabase()
	h.ends("schema")
	h.ends("evidence")
	var all sync.WaitGroup
	for name := range h.replicas {
		all.Go(func() { h.start(name) })
	}
	all.Wait()
	balancer := h.container("balancer")
	runUntilEnd(t, exec.Command(nginx, append(balancer.entrypoint()[1:], "-p", h.Dir)...), h.Dir)
	listens(t, h.public)
	setup := demonstration.NewSetup("https://"+h.public, sim, "")
	setup.ClientID, setup.MCPURLs = "chatgpt", map[string]string{"sales": setup.PublicURL + "/mcp/sales"}
	h.d = &demo{t: t, dir: h.Dir, Setup: setup, by: trusting(t, h.authority, clientAddress, nil)}
	h.isHealthy()
	return h
}

// container is one of the composition: what it mounts lies in a folder of its own.
type container struct {
	composeService
	h    *composed
	name string
	root string
	here *strings.Replacer
}

// container lays out the files of one. Of two replicas of it the second finds what the first has left.
func (h *composed) container(name string) *container {
	h.t.Helper()
	c := &container{composeService: h.Services[name], h: h, name: name, root: filepath.Join(h.Dir, name)}
	if c.Image == "" {
		h.t.Fatalf("no service %s", name)
	}
	pairs := h.here
	if r := h.replicas[name]; r != nil {
		pairs = append([]string{"0.0.0.0:8080", r.listen, "127.0.0.1:9090", r.adminL}, pairs...)
	}
	mounts := []string{"/run/secrets"}
	for _, m := range append(c.Configs, c.Secrets...) {
		mounts = append(mounts, m.Target)
	}
	for _, v := range append(c.Volumes, c.Tmpfs...) {
		volume, at, named := strings.Cut(v, ":")
		if !named || strings.HasPrefix(volume, "/") { // a tmpfs with options
			at, volume = volume, "of-"+name+strings.ReplaceAll(volume, "/", "-")
		}
		mounts = append(mounts, at)
		c.must(os.MkdirAll(filepath.Join(h.Dir, volume), 0o700))
		c.owned(filepath.Join(h.Dir, volume))
		pairs = append(pairs, at+"/", filepath.Join(h.Dir, volume)+"/", "="+at, "="+filepath.Join(h.Dir, volume))
	}
	for _, m := range append(c.Configs, c.Secrets...) {
		pairs = append(pairs, m.Target, filepath.Join(c.root, m.Target))
	}
	c.here = strings.NewReplacer(append(pairs, "/run/secrets", filepath.Join(c.root, "run/secrets"))...)
	for _, m := range c.Configs {
		c.write(m.Target, c.here.Replace(read(h.t, filepath.Join(composeDir, h.composition.Configs[m.Source].File))))
	}
	for _, m := range c.Secrets {
		at := filepath.Join(c.root, m.Target)
		c.must(os.MkdirAll(filepath.Dir(at), 0o755))
		_ = os.Remove(at)
		c.must(os.Symlink(filepath.Join(h.Dir, h.composition.Secrets[m.Source].File), at))
	}
	return c
}

func (c *container) must(err error) {
	c.h.t.Helper()
	if err != nil {
		c.h.t.Fatalf("%s: %v", c.name, err)
	}
}

func (c *container) write(target, text string) {
	c.h.t.Helper()
	at := filepath.Join(c.root, target)
	c.must(os.MkdirAll(filepath.Dir(at), 0o755))
	c.must(os.WriteFile(at, []byte(text), 0o644))
}

// owned gives a folder of the database to whom that runs as.
func (c *container) owned(dir string) {
	c.h.t.Helper()
	if as := c.h.As; as != nil && strings.HasPrefix(c.Image, "postgres:") {
		c.must(os.Chown(dir, int(as.Uid), int(as.Gid)))
	}
}

// entrypoint is what it runs: of our image, what the Dockerfile says unless the service says otherwise.
func (c *container) entrypoint() []string {
	c.h.t.Helper()
	command, program := c.Command, c.Entrypoint
	if strings.HasPrefix(c.Image, "sfmcp-proxy:") {
		dockerfile := read(c.h.t, "../../Dockerfile")
		said := func(what string) (words []string) {
			found := regexp.MustCompile(`(?m)^` + what + ` (\[.*\])$`).FindStringSubmatch(dockerfile)
			if found == nil || json.Unmarshal([]byte(found[1]), &words) != nil {
				c.h.t.Fatalf("the Dockerfile has no %s", what)
			}
			return words
		}
		program = said("ENTRYPOINT")
		if command == nil {
			command = said("CMD")
		}
	}
	return c.translated(append(append([]string{}, program...), command...))
}

func (c *container) translated(words []string) (all []string) {
	for _, word := range words {
		all = append(all, c.here.Replace(word))
	}
	return all
}

// exec is a command in the container, with its variables and no others but those of the tests.
func (c *container) exec(words []string) *exec.Cmd {
	c.h.t.Helper()
	program, environment := words[0], []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range c.Environment {
		environment = append(environment, name+"="+c.here.Replace(value))
	}
	if program == "/sfmcp-proxy" {
		program = os.Args[0]
		environment = append(environment, runAsProgram+"=1", "SFMCP_TRUSTED_CA_FILE="+c.h.authority.File) // which signed for the simulator
	} else {
		environment = append(environment, "PGPORT="+c.h.port)
	}
	cmd := exec.Command(program, words[1:]...)
	cmd.Env, cmd.Dir = environment, c.h.Dir
	return cmd
}

// ends runs a container that has something to do and ends.
func (h *composed) ends(name string) {
	h.t.Helper()
	c := h.container(name)
	if out, err := c.exec(c.entrypoint()).CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// start starts a replica, the first time or again.
func (h *composed) start(name string) {
	h.t.Helper()
	c, r := h.container(name), h.replicas[name]
	r.process = c.exec(c.entrypoint())
	r.process.Stderr = &r.log
	c.must(r.process.Start())
	process := r.process
	h.t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	ended := h.t.Failed
	defer func() {
		if ended() {
			h.t.Logf("what %s says:\n%s", name, &r.log)
		}
	}()
	eventually(h.t, plenty, name+" is ready", r.ready)
}

// makeSecrets runs secrets.sh on a copy of what it needs, as the README says, and once more, which
// changes nothing.
func (h *composed) makeSecrets() {
	h.t.Helper()
	script, dir := filepath.Join(h.Dir, "secrets.sh"), filepath.Join(h.Dir, "secrets")
	must := func(err error) {
		if err != nil {
			h.t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o755))
	must(os.WriteFile(script, []byte(read(h.t, filepath.Join(composeDir, "secrets.sh"))), 0o755))
	must(os.WriteFile(filepath.Join(h.Dir, "sfmcp-proxy.yaml"), []byte(read(h.t, filepath.Join(composeDir, "sfmcp-proxy.yaml"))), 0o644))
	must(os.WriteFile(filepath.Join(dir, "salesforce"), []byte(salesforcesim.ConfidentialSecret+"\n"), 0o644)) // as cp with the usual umask leaves it
	writeCertificate(h.t, h.authority.Sign(h.t, "127.0.0.1", time.Now().Add(time.Hour)), filepath.Join(dir, "mcp.crt"), filepath.Join(dir, "mcp.key"))
	keys := ""
	for range 2 {
		h.types("PROGRAM=$(command -v sfmcp-proxy) ./secrets.sh")
		now := read(h.t, filepath.Join(dir, "sealing-keys")) + read(h.t, filepath.Join(dir, "database.key")) + read(h.t, filepath.Join(dir, "pgpass"))
		if keys != "" && now != keys {
			h.t.Error("secrets.sh made secrets anew")
		}
		keys = now
	}
	for _, left := range []string{"ca.key", "ca.srl", "database.csr", "san"} {
		if _, err := os.Stat(filepath.Join(dir, left)); err == nil {
			h.t.Errorf("secrets.sh leaves %s", left)
		}
	}
}

// types runs a line of the README in the folder of the composition, as whoever has the files.
func (h *composed) types(line string) {
	h.t.Helper()
	own, of := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getuid())
	if h.As != nil {
		of = strconv.Itoa(int(h.As.Uid))
	}
	cmd := exec.Command("sh", "-c", strings.NewReplacer("sudo ", "", "$(command -v sfmcp-proxy)", os.Args[0]).Replace(line))
	cmd.Env = append(os.Environ(), "PROXY_USER="+own, "NGINX_USER="+own, "POSTGRES_USER="+of, "DATABASE_HOST=localhost", runAsProgram+"=1")
	cmd.Dir = h.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// rotatesKeys makes a new sealing key by the lines of the README, and returns how many keys there are.
func (h *composed) rotatesKeys() int {
	h.t.Helper()
	_, lines, found := strings.Cut(read(h.t, filepath.Join(composeDir, "README.md")), "**A new sealing key**")
	lines, _, ends := strings.Cut(lines, "\n**")
	if !found || !ends {
		h.t.Fatal("the README has no new sealing key")
	}
	restarts := 0
	for line := range strings.SplitSeq(lines, "\n") {
		line, typed := strings.CutPrefix(line, "    ")
		switch {
		case !typed:
		case strings.HasPrefix(line, "docker compose restart replica-1 "): // and so on, one after the other
			for _, name := range slices.Sorted(maps.Keys(h.replicas)) {
				h.restart(name)
			}
			restarts++
		default:
			h.types(line)
		}
	}
	if restarts != 2 {
		h.t.Errorf("the README restarts the replicas %d times", restarts)
	}
	status := []string{"/sfmcp-proxy", "key", "status", "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml"}
	all, sealing := map[string]bool{}, map[string]bool{}
	for name := range h.replicas {
		c := h.container(name)
		out, err := c.exec(c.translated(status)).Output()
		if err != nil {
			h.t.Fatalf("key status in %s: %v\n%s", name, err, out)
		}
		for line := range strings.Lines(string(out)) {
			key := strings.Fields(line)[0]
			all[key], sealing[key] = true, sealing[key] || strings.Contains(line, "  seals  ")
		}
	}
	maps.DeleteFunc(sealing, func(_ string, seals bool) bool { return !seals })
	if len(sealing) != 1 {
		h.t.Errorf("%d keys seal", len(sealing))
	}
	return len(all)
}

// restart ends a replica as docker compose does, and starts it again.
func (h *composed) restart(name string) {
	h.t.Helper()
	process := h.replicas[name].process
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		h.t.Errorf("%s ends with %v", name, err)
	}
	h.start(name)
}

// startDatabase does what the image of PostgreSQL does in an empty volume: initdb with its arguments, a
// database, the scripts in their order; and runs the command of the service.
func (h *composed) startDatabase() {
	h.t.Helper()
	c := h.container("database")
	data, socket := filepath.Join(h.Dir, "database", "data"), filepath.Join(h.Dir, "of-database-var-run-postgresql")
	as := &syscall.SysProcAttr{Credential: h.As}
	initdb := exec.Command(filepath.Join(h.Bin, "initdb"), append(strings.Fields(c.Environment["POSTGRES_INITDB_ARGS"]), "--no-sync", "--username=postgres",
		"--pwfile="+c.here.Replace(c.Environment["POSTGRES_PASSWORD_FILE"]), "-D", data)...)
	initdb.Dir, initdb.SysProcAttr = h.Dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		h.t.Fatalf("initdb: %v\n%s", err, out)
	}
	words := c.entrypoint()
	server := exec.Command(filepath.Join(h.Bin, words[0]), append(words[1:], "-D", data, "-k", socket, "-c", "port="+h.port, "-c", "listen_addresses=localhost", "-c", "fsync=off")...)
	server.SysProcAttr = as
	runUntilEnd(h.t, server, h.Dir)
	psql := func(args ...string) *exec.Cmd {
		cmd := exec.Command("psql", append([]string{"-v", "ON_ERROR_STOP=1", "-q", "-X", "-h", socket, "-p", h.port, "-U", "postgres"}, args...)...)
		cmd.Env = append(os.Environ(), "PGPASSWORD="+strings.TrimSpace(read(h.t, c.here.Replace(c.Environment["POSTGRES_PASSWORD_FILE"]))))
		return cmd
	}
	name := c.Environment["POSTGRES_DB"]
	eventually(h.t, plenty, "the database answers", func() bool { return psql("-d", "postgres", "-c", "SELECT 1").Run() == nil })
	steps := [][]string{{"-d", "postgres", "-c", "CREATE DATABASE " + name}}
	for _, m := range c.Configs {
		if path.Dir(m.Target) == "/docker-entrypoint-initdb.d" {
			steps = append(steps, []string{"-d", name, "-f", filepath.Join(c.root, m.Target)})
		}
	}
	for _, step := range steps {
		if out, err := psql(step...).CombinedOutput(); err != nil {
			h.t.Fatalf("psql %v: %v\n%s", step, err, out)
		}
	}
}

// isHealthy asks each container that stays as its health check does.
func (h *composed) isHealthy() {
	h.t.Helper()
	for name, s := range h.Services {
		if s.Restart == "" {
			continue
		}
		c := h.container(name)
		words := c.translated(s.Healthcheck.Test)
		var said []byte
		eventually(h.t, plenty, name+" is healthy", func() (healthy bool) {
			var err error
			said, err = c.exec(words[1:]).CombinedOutput()
			return words[0] == "CMD" && err == nil
		})
		if len(said) > 200 {
			h.t.Errorf("the health check of %s says %s", name, said)
		}
	}
}

// verifiesTogether verifies the logs of all replicas, in one of them, and finds a checkpoint of each at
// the place for them.
func (h *composed) verifiesTogether() {
	h.t.Helper()
	verify := []string{"/sfmcp-proxy", "audit", "verify", "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml"}
	first := h.container("replica-1")
	words := first.translated(verify)
	for _, other := range []string{"data-2", "data-3"} {
		words = append(words, "--others", filepath.Join(h.Dir, other, "audit"))
	}
	if out, err := first.exec(words).CombinedOutput(); err != nil || strings.Count(string(out), "all sound") != 4 {
		h.t.Errorf("all logs together: %v\n%s", err, out)
	}
	eventually(h.t, plenty, "each log has a checkpoint at the place", func() bool {
		kept, err := filepath.Glob(filepath.Join(h.Dir, "checkpoints", "*"))
		n := 0
		for _, file := range kept {
			if !strings.HasSuffix(file, ".history") {
				n++
			}
		}
		return err == nil && n == len(h.replicas)
	})
}

// servesWithoutOwning: the role that serves neither changes the schema nor what is evidence.
func (h *composed) servesWithoutOwning() {
	h.t.Helper()
	for _, statement := range []string{"CREATE TABLE own (a int)", "DROP TABLE grants", "DELETE FROM goose_db_version"} {
		cmd := exec.Command("psql", "-X", "-q", "-c", statement, "host=localhost port="+h.port+" user=proxy dbname=proxy sslmode=verify-full sslrootcert="+
			filepath.Join(h.Dir, "secrets", "database-ca")+" passfile="+filepath.Join(h.Dir, "secrets", "pgpass"))
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "permission denied") && !strings.Contains(string(out), "must be owner") {
			h.t.Errorf("%s: %v %s", statement, err, out)
		}
	}
}

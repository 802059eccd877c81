package config

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// witnessText is a verifier key of a key type.
func witnessText(name string, kind byte) string {
	key := append([]byte{kind}, make([]byte, 32)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(key))
}

func TestAuditDirectoryIsBesideTheDatabase(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"": "data/audit",
		"database: sqlite:/var/lib/proxy/proxy.db\n":                           "/var/lib/proxy/audit",
		"database: sqlite:proxy.db\n":                                          "audit",
		"database: postgres://u@db.example.com/d?sslmode=verify-full\n":        "data/audit",
		"audit: {dir: elsewhere}\n":                                            "elsewhere",
		"audit: {dir: /var/log/proxy}\ndatabase: sqlite:/var/lib/x/proxy.db\n": "/var/log/proxy",
	} {
		file := filepath.Join(t.TempDir(), "sfmcp-proxy.yaml")
		if err := os.WriteFile(file, []byte(good+lines), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file, nil)
		if err != nil {
			t.Fatalf("%s: %v", lines, err)
		}
		if want = under(filepath.Dir(file), want); c.Audit.Dir != want {
			t.Errorf("%s: %s, want %s", lines, c.Audit.Dir, want)
		}
		if c.Audit.Keep != 400*24*time.Hour || c.Audit.CheckpointEvery != 10*time.Second || len(c.Audit.Checkpoints) > 0 {
			t.Errorf("defaults: %+v", c.Audit)
		}
	}
}

// Whether the file is named from here or from the root, a command and the proxy mean the same log.
func TestAuditDirectoryOfARelativeFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("etc", 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("etc", "sfmcp-proxy.yaml")
	for lines, want := range map[string]string{
		"database: sqlite:proxy.db\n":                                         "etc/audit",
		"database: sqlite:data/proxy.db\n":                                    "etc/data/audit",
		"database: postgres://u@db.example.com/d?sslmode=verify-full\n":       "etc/data/audit",
		"audit: {dir: elsewhere}\ndatabase: sqlite:/var/lib/proxy/proxy.db\n": "etc/elsewhere",
	} {
		if err := os.WriteFile(file, []byte(good+lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(file, nil); err != nil || c.Audit.Dir != filepath.FromSlash(want) {
			t.Errorf("%s: %s, %v, want %s", lines, c.Audit.Dir, err, want)
		}
	}
}

func TestAuditFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := load(t, good, "SFMCP_AUDIT_DIR=/var/log/proxy", "SFMCP_AUDIT_KEEP=240h", "SFMCP_AUDIT_CHECKPOINT_EVERY=30s")
	if err != nil || c.Audit.Dir != "/var/log/proxy" || c.Audit.Keep != 240*time.Hour || c.Audit.CheckpointEvery != 30*time.Second {
		t.Errorf("%+v, %v", c.Audit, err)
	}
}

// places has one place of each kind.
func places(t *testing.T) string {
	secret := private(t, 0o600)
	return "audit:\n  checkpoints:\n" +
		"    - {file: /mnt/elsewhere/}\n" +
		"    - {file: other/checkpoint}\n" +
		"    - {url: 'https://keep.example.com/checkpoints/', token_file: " + secret + "}\n" +
		"    - {url: 'http://127.0.0.1:8081/checkpoint', token_file: " + secret + "}\n" +
		"    - s3: {bucket: audit.acme, region: eu-central-1, prefix: proxy/a, access_key_id: AKIAEXAMPLE, secret_key_file: " + secret + ", object_lock: compliance, object_lock_days: 400}\n" +
		"    - s3: {bucket: audit, region: garage, endpoint: 'https://s3.example.com', access_key_id: AKIAEXAMPLE, secret_key_file: " + secret + ", object_lock: governance, object_lock_days: 1}\n" +
		"    - {witness: 'https://witness.example.com/', key: " + witnessText("witness.example.com", 4) + "}\n"
}

func TestCheckpointPlaces(t *testing.T) {
	t.Parallel()
	c, err := load(t, good+"production: true\n"+places(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Audit.Checkpoints) != 7 || c.Audit.Checkpoints[0].File != "/mnt/elsewhere/" || !strings.HasSuffix(c.Audit.Checkpoints[1].File, "/other/checkpoint") || c.Audit.Checkpoints[4].S3.ObjectLockDays != 400 {
		t.Errorf("%+v", c.Audit.Checkpoints)
	}
	all, err := c.Audit.Places(CheckpointParts{})
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, place := range all {
		named = append(named, place.String())
	}
	want := []string{"file /mnt/elsewhere/", "file " + c.Audit.Checkpoints[1].File, "URL https://keep.example.com/checkpoints/", "URL http://127.0.0.1:8081/checkpoint",
		"bucket audit.acme/proxy/a", "bucket audit", "witness witness.example.com"}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Error(diff)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, out.String())
	if err != nil {
		t.Fatalf("what is printed does not load: %v\n%s", err, out.String())
	}
	if diff := cmp.Diff(c.Audit, again.Audit); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(out.String(), "canary") {
		t.Error("a secret is printed")
	}
}

func TestWrongAuditKeys(t *testing.T) {
	t.Parallel()
	secret := private(t, 0o600)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s3 := func(members string) string {
		return "{s3: {bucket: audit, region: eu-central-1, access_key_id: AKIAEXAMPLE, secret_key_file: " + secret + ", " + members + "}}"
	}
	for lines, key := range map[string]string{
		"audit: {keep: 1h}":              "audit.keep",
		"audit: {keep: 87601h}":          "audit.keep",
		"audit: {checkpoint_every: 0s}":  "audit.checkpoint_every",
		"audit: {checkpoint_every: 11m}": "audit.checkpoint_every",
		"audit: {dir: ''}":               "audit.dir",
		"audit: {dir: database}":         "audit.dir",
		"production: true\ndatabase: postgres://u@db.example.com/d?sslmode=verify-full\naudit: {dir: database}": "audit.checkpoints",
		"audit: {directory: x}":                                                                                      "audit.directory",
		"audit: {checkpoints: [{}]}":                                                                                 "audit.checkpoints[0]",
		"audit: {checkpoints: [{s3: {}}]}":                                                                           "audit.checkpoints[0]",
		"audit: {checkpoints: [{file: /mnt/a, url: 'https://a.example/'}]}":                                          "audit.checkpoints[0]",
		"audit: {checkpoints: [{file: /mnt/a}, {file: /mnt/a}]}":                                                     "audit.checkpoints[1]",
		"audit: {checkpoints: [{file: ''}]}":                                                                         "audit.checkpoints[0].file",
		"audit: {checkpoints: [{file: /mnt/a, token_file: " + secret + "}]}":                                         "audit.checkpoints[0].token_file",
		"audit: {checkpoints: [{file: /mnt/a, key: x}]}":                                                             "audit.checkpoints[0].key",
		"audit: {checkpoints: [{file: data/audit/checkpoint}]}":                                                      "audit.checkpoints[0].file",
		"audit: {checkpoints: [{file: data/audit/below/}]}":                                                          "audit.checkpoints[0].file",
		"audit: {checkpoints: [{file: data/checkpoint}]}":                                                            "audit.checkpoints[0].file",
		"audit: {dir: /var/log/audit, checkpoints: [{file: data/}]}":                                                 "audit.checkpoints[0].file",
		"audit: {checkpoints: [{url: 'http://a.example/'}]}":                                                         "audit.checkpoints[0].url",
		"audit: {checkpoints: [{url: 'https://u:canary@a.example/'}]}":                                               "audit.checkpoints[0].url",
		"audit: {checkpoints: [{url: 'https://a.example/?token=canary'}]}":                                           "audit.checkpoints[0].url",
		"audit: {checkpoints: [{url: 'file:///mnt/a'}]}":                                                             "audit.checkpoints[0].url",
		"audit: {checkpoints: [{url: 'https://a.example/', token_file: /nonexistent}]}":                              "audit.checkpoints[0].token_file",
		"audit: {checkpoints: [{url: 'https://a.example/', token_file: " + empty + "}]}":                             "audit.checkpoints[0].token_file",
		"audit: {checkpoints: [{url: 'https://a.example/', password: canary}]}":                                      "audit.checkpoints[0].password",
		"audit: {checkpoints: [" + s3("bucket_: x") + "]}":                                                           "audit.checkpoints[0].s3.bucket_",
		"audit: {checkpoints: [" + s3("prefix: /x") + "]}":                                                           "audit.checkpoints[0].s3.prefix",
		"audit: {checkpoints: [" + s3("endpoint: 'http://s3.example'") + "]}":                                        "audit.checkpoints[0].s3.endpoint",
		"audit: {checkpoints: [" + s3("object_lock: yes-please, object_lock_days: 3") + "]}":                         "audit.checkpoints[0].s3.object_lock",
		"audit: {checkpoints: [" + s3("object_lock: compliance") + "]}":                                              "audit.checkpoints[0].s3.object_lock_days",
		"audit: {checkpoints: [" + s3("object_lock: compliance, object_lock_days: 40000") + "]}":                     "audit.checkpoints[0].s3.object_lock_days",
		"audit: {checkpoints: [" + s3("object_lock_days: 3") + "]}":                                                  "audit.checkpoints[0].s3.object_lock_days",
		"audit: {checkpoints: [{s3: {bucket: A, region: r, access_key_id: AKIA, secret_key_file: " + secret + "}}]}": "audit.checkpoints[0].s3.bucket",
		"audit: {checkpoints: [{s3: {bucket: abc, access_key_id: AKIA, secret_key_file: " + secret + "}}]}":          "audit.checkpoints[0].s3.region",
		"audit: {checkpoints: [{s3: {bucket: abc, region: r, secret_key_file: " + secret + "}}]}":                    "audit.checkpoints[0].s3.access_key_id",
		"audit: {checkpoints: [{s3: {bucket: abc, region: r, access_key_id: AKIA}}]}":                                "audit.checkpoints[0].s3.secret_key_file",
		"audit: {checkpoints: [{witness: 'https://w.example/'}]}":                                                    "audit.checkpoints[0].key",
		"audit: {checkpoints: [{witness: 'https://w.example/', key: " + witnessText("w.example", 1) + "}]}":          "audit.checkpoints[0].key",
		"audit: {checkpoints: [{witness: 'https://w.example/', key: x" + witnessText("w.example", 4) + "}]}":         "audit.checkpoints[0].key",
		"audit: {checkpoints: [{witness: 'http://w.example/', key: " + witnessText("w.example", 4) + "}]}":           "audit.checkpoints[0].witness",
		"audit: {checkpoints: [" + strings.TrimSuffix(strings.Repeat("{file: /mnt/%d}, ", 17), ", ") + "]}":          "audit.checkpoints",
	} {
		for i := 0; strings.Contains(lines, "%d"); i++ {
			lines = strings.Replace(lines, "%d", fmt.Sprint(i), 1)
		}
		_, err := load(t, good+lines+"\n")
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != key || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want a problem of %s", lines, err, key)
		}
	}
}

// S9: the secrets of checkpoints are their owner's too.
func TestS9SecretsOfCheckpoints(t *testing.T) {
	t.Parallel()
	open := private(t, 0o644)
	for text, key := range map[string]string{
		"audit: {checkpoints: [{url: 'https://a.example/', token_file: " + open + "}]}\n":                                                                            "audit.checkpoints[0].token_file",
		"audit: {checkpoints: [{s3: {bucket: abc, region: r, access_key_id: AKIA, secret_key_file: " + open + ", object_lock: compliance, object_lock_days: 1}}]}\n": "audit.checkpoints[0].s3.secret_key_file",
	} {
		_, err := load(t, good+text+"production: true\n")
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != key || !strings.Contains(problems[0].Found, "chmod 600 it") {
			t.Errorf("%s: %v", key, err)
		}
		c, err := load(t, good+text)
		if err != nil || !slices.ContainsFunc(c.Notes(), func(note string) bool { return strings.HasPrefix(note, key+": ") }) {
			t.Errorf("%s, as a pilot: %v", key, err)
		}
	}
}

func TestNotesOfCheckpoints(t *testing.T) {
	t.Parallel()
	c, err := load(t, good+"trusted_proxies: [10.0.0.0/8]\naudit: {checkpoints: [{url: 'https://a.example/'}, {s3: {bucket: abc, region: r, access_key_id: AKIA, secret_key_file: "+private(t, 0o600)+"}}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(c.Notes(), "\n")
	for _, want := range []string{"audit.checkpoints[0].url has no token_file", "audit.checkpoints[1].s3 has no object_lock"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note that %s:\n%s", want, notes)
		}
	}
}

// audit.dir: database is no folder: nothing is looked for beside it, and a folder of that name can still be had.
func TestAuditInTheDatabase(t *testing.T) {
	t.Parallel()
	const postgres = "database: postgres://u@db.example.com/d?sslmode=verify-full\n"
	c, err := load(t, good+postgres+"production: true\naudit: {dir: database, checkpoints: [{url: 'https://logs.example.com/', token_file: "+private(t, 0o600)+"}]}\n")
	if err != nil || !c.Audit.InDatabase() {
		t.Fatalf("%+v, %v", c, err)
	}
	if stop := c.stopFile(); stop != filepath.Join(filepath.Dir(c.KeysFile), "STOP") {
		t.Errorf("the file that stops is %s", stop)
	}
	for _, text := range []string{postgres + "audit: {dir: ./database}\n", "audit: {dir: ./database}\n"} {
		c, err := load(t, good+text)
		if err != nil || c.Audit.InDatabase() || filepath.Base(c.Audit.Dir) != "database" {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	if c, err = load(t, good+postgres+"audit: {dir: database}\n"); err != nil || !strings.Contains(strings.Join(c.Notes(), "\n"), "a database that is put back takes the audit log with it") {
		t.Errorf("%v, without a note that nothing tells", err)
	}
}

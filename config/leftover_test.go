package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leftover loads a configuration from a folder with these files beside it, by name.
func leftover(t *testing.T, text string, files map[string]string, environ ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, environ)
}

// What a template has left, what is not there, and where a checkpoint proves nothing: the configuration is accepted, and it is said.
func TestLeftoversAreNoted(t *testing.T) {
	t.Parallel()
	secret := with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: word")
	files := map[string]string{"word": "word\n", "left": "${WORD}\n", "data/checkpoints/a": ""}
	const noFolder = "there is no folder "
	for text, want := range map[string]string{
		good: "", secret: "",
		with("client_id: 3MVG9example", "client_id: ${CLIENT_ID}"):                                                                    "salesforce.orgs[0].client_id holds a placeholder",
		with("client_id: 3MVG9example", "client_id: x\n      client_secret: ${SECRET}"):                                               "salesforce.orgs[0].client_secret holds a placeholder",
		strings.Replace(secret, "file: word", "file: left", 1):                                                                        "salesforce.orgs[0].client_secret holds a placeholder",
		with("rep@acme.example]", "'{{rep}}@acme.example']"):                                                                          "groups[0].members[1] holds a placeholder",
		with("", "exports: [{name: a, kind: otlp, url: 'https://h.example/v1/logs', token_file: left}]"):                              "exports[0].token_file (",
		with("", "database: postgres://proxy:${WORD}@db.example.com/proxy?sslmode=verify-full"):                                       "database holds a placeholder",
		with("", "database: postgres://proxy@db.example.com/proxy?sslmode=verify-full&passfile=/nowhere/pgpass"):                      "database: passfile /nowhere/pgpass: no such file",
		with("", "exports: [{name: a, kind: file, path: nowhere/a}]"):                                                                 noFolder,
		with("", "exports: [{name: a, kind: file, path: data/checkpoints/b}]"):                                                        "",
		with("", "audit: {checkpoints: [{file: /nowhere/to/be/found}]}"):                                                              noFolder,
		with("", "audit: {checkpoints: [{file: /nowhere/to/be/found/}]}"):                                                             noFolder + "/nowhere/to/be/found,",
		with("", "audit: {checkpoints: [{file: data/checkpoints/}]}"):                                                                 "is below the folder of keys_file",
		with("", "keys_file: /etc/keys\ndatabase: sqlite:/var/lib/proxy/proxy.db\naudit: {checkpoints: [{file: data/checkpoints/}]}"): "",
		with("", "keys_file: other/keys\naudit: {checkpoints: [{file: data/checkpoints/c}]}"):                                         "is below the folder of database",
	} {
		c, err := leftover(t, text+"trusted_proxies: [10.0.0.0/8]\n", files)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		said := strings.Join(c.Notes(), "\n")
		if want == "" && said != "" || !strings.Contains(said, want) || strings.Contains(said, "WORD") || strings.Count(said, "\n") > 0 && want != "" {
			t.Errorf("notes %q, want %q", said, want)
		}
	}
}

// A variable that names another database than the file is noted, and one that says the same is not.
func TestADatabaseNamedTwiceIsNoted(t *testing.T) {
	t.Parallel()
	const word = "hunter2"
	other := "database: postgres://proxy:" + word + "@db.example.com/proxy?sslmode=verify-full\n"
	for _, tt := range []struct {
		lines, variable string
		noted           bool
	}{
		{other, "sqlite:/var/lib/sfmcp-proxy/proxy.db", true},
		{"database: sqlite:data/proxy.db\n", "postgres://proxy:" + word + "@db.example.com/proxy?sslmode=verify-full", true},
		{"", "sqlite:/var/lib/sfmcp-proxy/proxy.db", false},
		{"database: sqlite:/var/lib/sfmcp-proxy/proxy.db\n", "sqlite:/var/lib/sfmcp-proxy/proxy.db", false},
		{other, "", false},
	} {
		var environ []string
		if tt.variable != "" {
			environ = []string{"SFMCP_DATABASE=" + tt.variable}
		}
		c, err := leftover(t, good+"trusted_proxies: [10.0.0.0/8]\n"+tt.lines, nil, environ...)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(c.Notes(), "\n")
		if strings.Contains(said, "the environment SFMCP_DATABASE names the database ") != tt.noted || strings.Contains(said, word) {
			t.Errorf("%+v: %q", tt, said)
		}
	}
}

// A secret is what a person sees in the file: without the mark that an editor puts first, and on one line.
func TestSecretsWithAMarkOfTheirEncoding(t *testing.T) {
	t.Parallel()
	text := with("client_id: 3MVG9example", "client_id: x\n      client_secret_file: word") + "exports: [{name: a, kind: otlp, url: 'https://h.example/v1/logs', token_file: word}]\n"
	c, err := leftover(t, text, map[string]string{"word": "\ufeffword\r\n"})
	if err != nil || c.Salesforce.Orgs[0].ClientSecret != "word" {
		t.Fatalf("%v, %+v", err, c)
	}
	for _, content := range []string{"", "\ufeff\n", "one\ntwo\n", "\xff\xfew\x00o\x00"} {
		_, err := leftover(t, text, map[string]string{"word": content})
		var problems Problems
		if errors.As(err, &problems); len(problems) != 2 || problems[0].Key != "salesforce.orgs[0].client_secret_file" || problems[1].Key != "exports[0].token_file" {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// Two exports do not write to one file, nor one to where the other moves its own; a database is no folder.
func TestFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	two := func(a, b string) string {
		return with("", "exports: [{name: a, kind: file, path: "+a+"}, {name: b, kind: file, format: csv, path: "+b+"}]")
	}
	for text, want := range map[string]string{
		two("logs/a", "logs/a"):                    "exports[1].path",
		two("logs/a", "logs/../logs/a"):            "exports[1].path",
		two("logs/a", "logs/a.1"):                  "exports[1].path",
		two("logs/a.12", "logs/a"):                 "exports[1].path",
		two("logs/a", "logs/linked"):               "exports[1].path",
		two("logs/a", "logs/a.csv"):                "",
		two("logs/a", "logs/b"):                    "",
		with("", "database: sqlite:logs"):          "database",
		with("", "database: sqlite:logs/proxy.db"): "",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "sfmcp-proxy.yaml")
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "logs"), 0o700), os.WriteFile(filepath.Join(dir, "logs/a"), nil, 0o600),
			os.Symlink("a", filepath.Join(dir, "logs/linked")), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		var problems Problems
		_, err := Load(file, nil)
		errors.As(err, &problems)
		if want == "" && err != nil || want != "" && (len(problems) != 1 || problems[0].Key != want) {
			t.Errorf("%s: %v", strings.TrimPrefix(text, good), err)
		}
	}
}

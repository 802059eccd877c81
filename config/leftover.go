package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/db"
)

// placeholder is what a template leaves where nothing was put in: ${NAME} of a shell, {{ … }} of Helm, Ansible or Jinja.
var placeholder = regexp.MustCompile(`\$\{[A-Za-z_][^{}\s]*\}|\{\{.*\}\}`)

// placeholders notes values, and files of secrets, that still hold the name of what was to be put there. It shows none of
// them: what looks like a placeholder may be a secret.
func (n *notes) placeholders() {
	found := func(key string) {
		n.add("%s holds a placeholder, such as ${NAME}, and nothing puts a value in its place: write the value itself", key)
	}
	eachText(reflect.ValueOf(*n.c), "", func(key, text string) {
		if placeholder.MatchString(text) {
			found(key)
		}
	})
	for _, f := range n.c.secretFiles() {
		if strings.HasSuffix(f.key, "client_secret_file") || f.key == "outbound_proxy_password_file" {
			continue // their content is a value by now
		}
		if text := secretIn(f.path); len(text) <= maxSecret && placeholder.MatchString(text) {
			found(f.what + " (" + f.path + ")")
		}
	}
}

// maxSecret is how long a text may be that is looked through for a placeholder.
const maxSecret = 64 << 10

// eachText calls f with every text of a value that was decoded, and its key. Conditions of rules are a language of their own.
func eachText(v reflect.Value, key string, f func(key, text string)) {
	switch v.Kind() {
	case reflect.String:
		f(key, v.String())
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), fmt.Sprintf("%s[%d]", key, i), f)
		}
	case reflect.Struct:
		for _, field := range members(v.Type()) {
			if name := field.Tag.Get("mapstructure"); name != "" && name != "when" {
				eachText(v.FieldByIndex(field.Index), strings.TrimPrefix(key+"."+name, "."), f)
			}
		}
	}
}

// missing notes files and folders that the configuration names and that are not there: they may come with a mount.
func (n *notes) missing() {
	if u, err := url.Parse(n.c.Database); err == nil && (db.Config{URL: n.c.Database}).IsPostgres() {
		if file := u.Query().Get("passfile"); file != "" {
			if _, err := os.Stat(file); err != nil {
				n.add("database: passfile %s: %s: connections are tried without the password in it", file, reason(err))
			}
		}
	}
	folder := func(key, file, then string) {
		at := filepath.Dir(file)
		if found, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) || err == nil && !found.IsDir() {
			n.add("%s %s: there is no folder %s, and none is made: %s", key, file, at, then)
		}
	}
	for i, e := range n.c.Exports {
		if e.Kind == "file" && e.Path != "" {
			folder(fmt.Sprintf("exports[%d].path", i), e.Path, "nothing is written there until it exists")
		}
	}
	for i, place := range n.c.Audit.Checkpoints {
		if place.File != "" {
			folder(fmt.Sprintf("audit.checkpoints[%d].file", i), place.File, "no checkpoint goes there until it exists; is the mount missing?")
		}
	}
}

// beside notes a place of checkpoints below a folder that is put back, or lost, with what the checkpoint proves: it is
// elsewhere only where something is mounted in between.
func (n *notes) beside() {
	for i, place := range n.c.Audit.Checkpoints {
		if place.File == "" {
			continue
		}
		for _, own := range []struct{ what, folder string }{{"keys_file", filepath.Dir(n.c.KeysFile)}, {"database", filepath.Dir(strings.TrimPrefix(n.c.Database, "sqlite:"))}} {
			if own.what == "database" && !strings.HasPrefix(n.c.Database, "sqlite:") || !within(filepath.Dir(place.File), own.folder) {
				continue
			}
			n.add("audit.checkpoints[%d].file %s is below the folder of %s: unless a mount of its own is there, whoever puts back or loses that folder does so with the checkpoint, which then proves nothing", i, place.File, own.what)
			break
		}
	}
}

// secretOf is the secret in a file's content: the mark that editors put first, and ends of lines, are no part of it.
// problem says what keeps it from being one.
func secretOf(text []byte) (secret, problem string) {
	switch secret = publish.SecretOf(text); {
	case secret == "":
		return "", "an empty file"
	case strings.ContainsFunc(secret, unicode.IsControl):
		return secret, "more than one line, or control characters (a file of UTF-16 has some)"
	}
	return secret, ""
}

// overridden notes where a variable names another database than the file does.
func (c *Config) overridden(text []byte, lines map[string]int, environ []string, dir string) {
	variable := "environment " + envName("database")
	if source, _ := locate("", "database", nil, environ); source != variable || lines["database"] == 0 {
		return
	}
	written, err := decode(text, nil)
	if err != nil {
		return
	}
	if written.complete(dir); written.Database != c.Database {
		c.origins.overridden = fmt.Sprintf("the %s names the database %s, and line %d of the file %s: the variable counts, and the other one is not used; take one of the two away",
			variable, (db.Config{URL: c.Database}).Redacted(), lines["database"], (db.Config{URL: written.Database}).Redacted())
	}
}

package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"

	"sfmcp-proxy/authproxy/seal"
)

// secretFile is a file that holds a secret.
type secretFile struct {
	key  string // what a problem is about
	what string // for people
	path string
}

// secretFiles are the files that hold secrets, but for keys_file, which is refused in any
// case if others may read it, and for the configuration file. What is wrong with a secret of
// the database is told of production: taking access away does without that key.
func (c *Config) secretFiles() (all []secretFile) {
	add := func(key, what, path string) {
		if path != "" {
			all = append(all, secretFile{key, what, path})
		}
	}
	for i, o := range c.Salesforce.Orgs {
		add(fmt.Sprintf("salesforce.orgs[%d].client_secret_file", i), "client_secret_file of org "+o.Name, o.ClientSecretFile)
	}
	add("tls.key_file", "tls.key_file", c.TLS.KeyFile)
	add("key_service.pin_file", "key_service.pin_file", c.KeyService.PINFile)
	add("console.oidc.client_secret_file", "console.oidc.client_secret_file", c.Console.OIDC.ClientSecretFile)
	for i, o := range c.Console.Providers {
		key := fmt.Sprintf("console.providers[%d].client_secret_file", i)
		add(key, key, o.ClientSecretFile)
	}
	add("outbound_proxy_password_file", "outbound_proxy_password_file", c.OutboundProxyPasswordFile)
	for i, place := range c.Audit.Checkpoints {
		key := fmt.Sprintf("audit.checkpoints[%d].", i)
		add(key+"token_file", key+"token_file", place.TokenFile)
		add(key+"s3.secret_key_file", key+"s3.secret_key_file", place.S3.SecretKeyFile)
	}
	for i, e := range c.Exports {
		key := fmt.Sprintf("exports[%d].", i)
		for _, f := range []struct{ name, path string }{{"key_file", e.KeyFile}, {"url_file", e.URLFile}, {"token_file", e.TokenFile}, {"secret_file", e.SecretFile},
			{"previous_secret_file", e.PreviousSecretFile}, {"s3.secret_key_file", e.S3.SecretKeyFile}} {
			add(key+f.name, key+f.name, f.path)
		}
	}
	for i, n := range c.Approvals.Notify {
		key := fmt.Sprintf("approvals.notify[%d].", i)
		add(key+"url_file", key+"url_file", n.URLFile)
		add(key+"secret_file", key+"secret_file", n.SecretFile)
		add(key+"previous_secret_file", key+"previous_secret_file", n.PreviousSecretFile)
	}
	add("approvals.mail.password_file", "approvals.mail.password_file", c.Approvals.Mail.PasswordFile)
	if u, err := url.Parse(c.Database); err == nil {
		add("production", "passfile of database", u.Query().Get("passfile"))
		add("production", "sslkey of database", u.Query().Get("sslkey"))
	}
	return all
}

// digestFiles is a digest of the files that are read when something is made of the configuration, and not again
// whenever they are used: where one has other content, the configuration is another one. It is never
// shown. Files that cannot be read are told of where they are checked. "": there are none.
func (c *Config) digestFiles() string {
	files := []string{c.Approvals.Mail.PasswordFile}
	for _, n := range c.Approvals.Notify {
		files = append(files, n.URLFile, n.SecretFile, n.PreviousSecretFile)
	}
	if u, err := url.Parse(c.Database); err == nil {
		for _, name := range []string{"passfile", "sslkey", "sslcert", "sslrootcert"} {
			files = append(files, u.Query().Get(name))
		}
	}
	all, found := sha256.New(), false
	for i, file := range files {
		if file == "" {
			continue
		}
		found = true
		text, _ := os.ReadFile(file)
		fmt.Fprintf(all, "%d %d %s", i, len(text), text) // in memory: it never fails
	}
	if !found {
		return ""
	}
	return string(all.Sum(nil))
}

// inlineSecrets are the secrets that stand in the configuration file itself. fromFile says
// whether a key was read from there.
func (c *Config) inlineSecrets(file string, fromFile func(key string) bool) (all []secretFile) {
	add := func(key, problem, secret, secretFromFile string) {
		if secret != "" && secretFromFile == "" && fromFile(key) {
			all = append(all, secretFile{problem, key, file})
		}
	}
	for i, o := range c.Salesforce.Orgs {
		key := fmt.Sprintf("salesforce.orgs[%d].client_secret", i)
		add(key, key, o.ClientSecret, o.ClientSecretFile)
	}
	const ofConsole = "console.oidc.client_secret"
	add(ofConsole, ofConsole, c.Console.OIDC.ClientSecret, c.Console.OIDC.ClientSecretFile)
	for i, o := range c.Console.Providers {
		key := fmt.Sprintf("console.providers[%d].client_secret", i)
		add(key, key, o.ClientSecret, o.ClientSecretFile)
	}
	const ofOutbound = "outbound_proxy_password"
	add(ofOutbound, ofOutbound, c.OutboundProxyPassword, c.OutboundProxyPasswordFile)
	for i, e := range c.Exports {
		if key := fmt.Sprintf("exports[%d].url", i); e.Kind == "webhook" { // others are no secrets
			add(key, key, e.URL, e.URLFile)
		}
	}
	for i, n := range c.Approvals.Notify {
		key := fmt.Sprintf("approvals.notify[%d].url", i)
		add(key, key, n.URL, n.URLFile)
	}
	if u, err := url.Parse(c.Database); err == nil {
		password, _ := u.User.Password()
		add("database", "production", password+u.Query().Get("password"), "")
	}
	return all
}

// exposed refuses files with secrets that others than their owner may read.
func exposed(files []secretFile) (problems Problems) {
	for _, f := range files {
		if err := seal.CheckPrivate(f.path); errors.Is(err, seal.ErrNotPrivate) {
			problems = append(problems, Problem{Key: f.key, Found: "a secret (" + f.what + ") in a file that others may read: " + err.Error(), Want: "a file of mode 0600, because production is true"})
		}
	}
	return problems
}

// secrets notes outside production what production refuses.
func (n *notes) secrets() {
	if n.c.Production {
		return
	}
	for _, f := range n.c.secretFiles() {
		if err := seal.CheckPrivate(f.path); errors.Is(err, seal.ErrNotPrivate) {
			n.add("%s: %v; production refuses it", f.what, err)
		}
	}
}

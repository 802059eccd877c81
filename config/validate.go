package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/db"
)

var (
	username = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

type validator struct {
	c        *Config
	problems Problems
}

func (v *validator) add(key, found, want string) {
	v.problems = append(v.problems, Problem{Key: key, Found: found, Want: want})
}

// Validate returns every problem of the merged configuration that needs more than one
// key, or more than its type, to see.
func (c *Config) Validate() Problems {
	v := &validator{c: c}
	v.listeners()
	v.contact()
	v.definitions()
	v.storage()
	v.audit()
	v.exports()
	v.notify()
	v.outbound()
	v.orgs()
	v.groups()
	v.policies()
	v.servers()
	v.clients()
	v.registration()
	v.lifetimes()
	v.lifecycle()
	v.limits()
	v.console()
	v.telemetry()
	if c.Production {
		v.production()
	}
	return v.problems
}

// longestContact is a line on a page, in characters.
const longestContact = 200

// contact checks the text that pages show of whom to ask.
func (v *validator) contact() {
	text := v.c.Contact
	if n := utf8.RuneCountInString(text); n > longestContact {
		v.add("contact", fmt.Sprintf("%d characters", n), fmt.Sprintf("at most %d", longestContact))
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || text != strings.TrimSpace(text) {
		v.add("contact", quote(text), "one line of printable text, a mail address or an https URL")
	}
}

func (v *validator) definitions() {
	if v.c.Definitions != AcceptFirst && v.c.Definitions != Review {
		v.add("definitions", quote(v.c.Definitions), AcceptFirst+" or "+Review)
	}
}

// production refuses what only a pilot or a test may have.
func (v *validator) production() {
	if strings.HasPrefix(v.c.PublicURL, "http:") {
		v.add("public_url", quote(v.c.PublicURL), "https, because production is true")
	}
	for _, host := range (db.Config{URL: v.c.Database}).Unverified() {
		v.add("database", "a connection to "+host+" without verified TLS", "sslmode=verify-full, because production is true")
	}
	for i, o := range v.c.Salesforce.Orgs {
		if o.InsecureHTTP {
			v.add(fmt.Sprintf("salesforce.orgs[%d].insecure_http", i), "true", "false, because production is true")
		}
	}
	if v.c.adminOpen() && !v.c.AdminListenOpen {
		v.add("admin_listen", quote(v.c.AdminListen)+", where other machines read health and metrics without a password", "a loopback address, or admin_listen_open: true, because production is true")
	}
	v.foreignHosts()
	if v.c.Audit.InDatabase() && len(v.c.Audit.Checkpoints) == 0 {
		v.add("audit.checkpoints", "no place", "at least one, because audit.dir is database and production is true: a database that is put back takes its audit log with it, and only a checkpoint elsewhere tells")
	}
	for i, p := range v.c.Policies {
		if p.Mode == "shadow" {
			v.add(fmt.Sprintf("policies[%d].mode", i), `"shadow"`, "enforce, because production is true")
		}
	}
}

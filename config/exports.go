package config

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit/export"
	"sfmcp-proxy/authproxy/tunnel"
)

// maxExports is how many destinations the audit log may be sent to.
const maxExports = 16

// Export is a destination of the audit log.
type Export struct {
	Name string `mapstructure:"name" need:"value"`
	Kind string `mapstructure:"kind" need:"value"` // file, syslog, otlp, splunk, webhook, s3
	// Format is jsonl, csv or ocsf; csv is for files and buckets.
	Format string `mapstructure:"format" need:"value"`
	// Personal gives the destination what entries say about people, Arguments those of calls as well.
	Personal  bool `mapstructure:"personal"`
	Arguments bool `mapstructure:"arguments"`
	// Every is how long entries are gathered.
	Every time.Duration `mapstructure:"every" need:"time"`

	Path      string `mapstructure:"path" need:"value"`       // of a file
	MaxSize   Bytes  `mapstructure:"max_size" need:"value"`   // from which on it is moved
	KeepFiles int    `mapstructure:"keep_files" need:"value"` // that were moved

	Address  string `mapstructure:"address" need:"value"`   // of syslog over TLS, host:port
	CertFile string `mapstructure:"cert_file" need:"value"` // ours, for syslog
	KeyFile  string `mapstructure:"key_file" need:"value"`

	URL       string `mapstructure:"url" need:"value" secret:"yes"`
	URLFile   string `mapstructure:"url_file" need:"value"`   // of a webhook
	TokenFile string `mapstructure:"token_file" need:"value"` // for otlp and splunk
	Index     string `mapstructure:"index" need:"value"`      // of splunk
	Ack       bool   `mapstructure:"ack"`                     // splunk says when events are indexed
	// SecretFile signs what a webhook gets; PreviousSecretFile signs it as well while receivers
	// change from one to the other.
	SecretFile         string `mapstructure:"secret_file" need:"value"`
	PreviousSecretFile string `mapstructure:"previous_secret_file" need:"value"`

	S3             S3       `mapstructure:"s3"`
	AllowAddresses []string `mapstructure:"allow_addresses"` // special-use networks
}

// Defaults of destinations, which viper cannot hold.
const (
	defaultExportSize  = Bytes(64 << 20)
	defaultExportFiles = 10
	exportEvery        = time.Second
	exportEveryBucket  = time.Minute // each batch is an object
)

// completeExports fills in what a destination of its kind has, and has paths seen from the folder of
// the configuration's file.
func (c *Config) completeExports(dir string) {
	for i := range c.Exports {
		e := &c.Exports[i]
		e.Format = cmp.Or(e.Format, string(export.JSON))
		switch e.Kind {
		case "file":
			e.MaxSize, e.KeepFiles = cmp.Or(e.MaxSize, defaultExportSize), cmp.Or(e.KeepFiles, defaultExportFiles)
		case "s3":
			e.Every = cmp.Or(e.Every, exportEveryBucket)
		}
		e.Every = cmp.Or(e.Every, exportEvery)
		for _, path := range []*string{&e.Path, &e.CertFile, &e.KeyFile, &e.URLFile, &e.TokenFile, &e.SecretFile, &e.PreviousSecretFile, &e.S3.SecretKeyFile} {
			*path = under(dir, *path)
		}
	}
}

// exportKeys are the keys that only some kinds have, and which of them a kind needs.
var exportKeys = []struct {
	name  string
	kinds []string
	needs bool
	set   func(e *Export) bool
}{
	{"path", []string{"file"}, true, func(e *Export) bool { return e.Path != "" }},
	{"max_size", []string{"file"}, false, func(e *Export) bool { return e.MaxSize != 0 }},
	{"keep_files", []string{"file"}, false, func(e *Export) bool { return e.KeepFiles != 0 }},
	{"address", []string{"syslog"}, true, func(e *Export) bool { return e.Address != "" }},
	{"cert_file", []string{"syslog"}, false, func(e *Export) bool { return e.CertFile != "" }},
	{"key_file", []string{"syslog"}, false, func(e *Export) bool { return e.KeyFile != "" }},
	{"url", []string{"otlp", "splunk"}, true, func(e *Export) bool { return e.URL != "" && e.Kind != "webhook" }},
	{"url_file", []string{"webhook"}, false, func(e *Export) bool { return e.URLFile != "" }},
	{"token_file", []string{"splunk"}, true, func(e *Export) bool { return e.TokenFile != "" && e.Kind != "otlp" }},
	{"index", []string{"splunk"}, false, func(e *Export) bool { return e.Index != "" }},
	{"ack", []string{"splunk"}, false, func(e *Export) bool { return e.Ack }},
	{"secret_file", []string{"webhook"}, false, func(e *Export) bool { return e.SecretFile != "" }},
	{"previous_secret_file", []string{"webhook"}, false, func(e *Export) bool { return e.PreviousSecretFile != "" }},
	{"s3", []string{"s3"}, true, func(e *Export) bool { return e.S3 != S3{} }},
	{"allow_addresses", []string{"syslog", "otlp", "splunk", "webhook", "s3"}, false, func(e *Export) bool { return len(e.AllowAddresses) > 0 }},
}

// exportKinds are the kinds of destinations.
var exportKinds = []string{"file", "syslog", "otlp", "splunk", "webhook", "s3"}

func (v *validator) exports() {
	all := v.c.Exports
	if n := len(all); n > maxExports {
		v.add("exports", fmt.Sprintf("%d destinations", n), fmt.Sprintf("at most %d", maxExports))
	}
	for i := range all {
		e, key := &all[i], fmt.Sprintf("exports[%d]", i)
		if !prefixText.MatchString(e.Name) || len(e.Name) > 64 || slices.IndexFunc(all, func(o Export) bool { return o.Name == e.Name }) < i {
			v.add(key+".name", quote(e.Name), "a name of its own: letters, digits, and the characters - _ . / after the first; at most 64")
		}
		if !slices.Contains(exportKinds, e.Kind) {
			v.add(key+".kind", quote(e.Kind), "one of "+strings.Join(exportKinds, ", "))
			continue
		}
		check := exportCheck{v, key, e}
		check.format()
		for _, k := range exportKeys {
			switch of := slices.Contains(k.kinds, e.Kind); {
			case of && k.needs && !k.set(e):
				v.add(key+"."+k.name, "nothing", "it, for kind: "+e.Kind)
			case !of && k.set(e):
				v.add(key+"."+k.name, "a key of "+strings.Join(k.kinds, ", "), "no such key for kind: "+e.Kind)
			}
		}
		check.place()
		check.addresses()
		v.secretFile(key+".token_file", e.TokenFile)
	}
}

// exportCheck checks what belongs to one destination.
type exportCheck struct {
	v   *validator
	key string
	e   *Export
}

// format checks what a destination gets.
func (x exportCheck) format() {
	v, key, e := x.v, x.key, x.e
	switch formats := export.Formats(); {
	case !slices.Contains(formats, export.Format(e.Format)):
		v.add(key+".format", quote(e.Format), "jsonl, csv or ocsf")
	case export.Format(e.Format) == export.CSV && e.Kind != "file" && e.Kind != "s3":
		v.add(key+".format", "csv for kind: "+e.Kind, "jsonl or ocsf: csv is for file and s3")
	}
	if e.Arguments && !e.Personal {
		v.add(key+".arguments", "true without personal", "personal: true too: arguments of calls are about people")
	}
	if e.Every < 100*time.Millisecond || e.Every > time.Hour {
		v.add(key+".every", e.Every.String(), "100ms to 1h")
	}
}

// place checks where a destination is.
func (x exportCheck) place() {
	v, key, e := x.v, x.key, x.e
	switch e.Kind {
	case "file":
		x.file()
	case "syslog":
		if host, port, err := net.SplitHostPort(e.Address); e.Address != "" && (err != nil || host == "" || port == "") {
			v.add(key+".address", quote(e.Address), "HOST:PORT of syslog over TLS, such as logs.example.com:6514")
		}
		if (e.CertFile == "") != (e.KeyFile == "") {
			v.add(key+".cert_file", "one of cert_file and key_file", "both or none")
		}
		x.keyPair()
	case "otlp", "splunk":
		if e.URL != "" {
			v.remote(key+".url", e.URL)
		}
		if u, err := url.Parse(e.URL); e.Kind == "splunk" && err == nil && strings.Trim(u.Path, "/") != "" {
			v.add(key+".url", "a URL with a path", "https://HOST:PORT of the HTTP Event Collector alone")
		}
	case "webhook":
		noticeCheck{v}.webhook(key, Notify{Kind: e.Kind, URL: e.URL, URLFile: e.URLFile, SecretFile: e.SecretFile, PreviousSecretFile: e.PreviousSecretFile})
	case "s3":
		if e.S3 != (S3{}) {
			v.s3(key+".s3", e.S3)
		}
	}
}

// keyPair makes sure that our certificate can be read; it is read again whenever it is used.
func (x exportCheck) keyPair() {
	v, key, e := x.v, x.key, x.e
	if e.CertFile == "" || e.KeyFile == "" {
		return
	}
	if _, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile); err != nil {
		v.add(key+".cert_file", reason(err), "a certificate in PEM whose key is in key_file")
	}
}

// file refuses a file among those that the proxy cannot do without.
func (x exportCheck) file() {
	v, key, e := x.v, x.key, x.e
	if e.MaxSize < 64<<10 {
		v.add(key+".max_size", e.MaxSize.String(), "at least 64KiB")
	}
	if e.KeepFiles < 1 || e.KeepFiles > 10_000 {
		v.add(key+".keep_files", fmt.Sprint(e.KeepFiles), "1 to 10000")
	}
	path := filepath.Clean(e.Path)
	database, _ := strings.CutPrefix(v.c.Database, "sqlite:")
	for _, own := range []struct{ what, path string }{{"keys_file", v.c.KeysFile}, {"database", database}} {
		if own.path != "" && strings.HasPrefix(path, filepath.Clean(own.path)) {
			v.add(key+".path", quote(e.Path)+", which is that of "+own.what, "a file of its own")
		}
	}
	for i := range v.c.Exports {
		if other := &v.c.Exports[i]; other == e {
			break
		} else if other.Kind == e.Kind && writeOne(path, filepath.Clean(other.Path)) {
			v.add(key+".path", quote(e.Path)+", where export "+other.Name+" writes and moves its files", "a file of its own")
		}
	}
	if !v.c.Audit.InDatabase() && within(filepath.Dir(path), v.c.Audit.Dir) {
		v.add(key+".path", quote(e.Path)+" in audit.dir", "a file in another folder")
	}
}

// writeOne says whether two exports would write to one file: under one path, under two names of it, or where the other one
// moves its file when it is full.
func writeOne(a, b string) bool {
	moved := func(path, of string) bool {
		number, is := strings.CutPrefix(path, of+".")
		_, err := strconv.Atoi(number)
		return is && err == nil
	}
	one, err := os.Stat(a)
	other, wrong := os.Stat(b)
	return a == b || moved(a, b) || moved(b, a) || err == nil && wrong == nil && os.SameFile(one, other)
}

// addresses checks the networks that a destination may be in, and that it can be reached if
// its address is written down as a number.
func (x exportCheck) addresses() {
	v, key, e := x.v, x.key, x.e
	allowed := exportNetworks(e.AllowAddresses)
	for i, text := range e.AllowAddresses {
		if _, err := netip.ParsePrefix(text); err != nil {
			v.add(fmt.Sprintf("%s.allow_addresses[%d]", key, i), quote(text), "a network, such as 10.0.0.0/8")
		}
	}
	host, _, err := net.SplitHostPort(e.Address)
	if u, wrong := url.Parse(cmp.Or(e.URL, e.S3.Endpoint)); err != nil && wrong == nil {
		host = u.Hostname()
	}
	address, err := netip.ParseAddr(host)
	if err == nil && !tunnel.Public(address) && !slices.ContainsFunc(allowed, func(n netip.Prefix) bool { return n.Contains(address.Unmap()) }) {
		v.add(key+".allow_addresses", "nothing that holds "+address.String()+", where the destination is", "its network, such as 10.0.0.0/8: other special-use addresses are not connected to")
	}
}

func exportNetworks(texts []string) (all []netip.Prefix) {
	for _, text := range texts {
		if network, err := netip.ParsePrefix(text); err == nil {
			all = append(all, network)
		}
	}
	return all
}

// exports notes destinations that get, or show, more than they need to.
func (n *notes) exports() {
	for i, e := range n.c.Exports {
		if e.Kind == "webhook" && e.SecretFile == "" {
			n.add("exports[%d] has no secret_file: its receiver cannot tell our entries from anybody's", i)
		}
		if e.Kind == "otlp" && e.TokenFile == "" {
			n.add("exports[%d] has no token_file: whoever reaches the collector can send entries too", i)
		}
		if e.Arguments {
			n.add("exports[%d] (%s) gets the arguments of calls, with data of customers: who is erased here is not erased there", i, e.Name)
		} else if e.Personal {
			n.add("exports[%d] (%s) gets what entries say about people: who is erased here is not erased there", i, e.Name)
		}
	}
}

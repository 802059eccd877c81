package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit/tree"
)

// maxCheckpoints is how many places signed checkpoints may go to.
const maxCheckpoints = 16

// AuditInDatabase as audit.dir has the audit log in the database, for a replica without a disk that lasts.
const AuditInDatabase = "database"

// InDatabase says whether the log is in the database.
func (a Audit) InDatabase() bool { return a.Dir == AuditInDatabase }

// completeAudit fills in the folder of the log, beside a database whose path is complete, and
// has paths seen from the folder of the configuration's file.
func (c *Config) completeAudit(dir string) {
	a := &c.Audit
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); a.Dir == "" && ok && path != "" {
		a.Dir = filepath.Join(filepath.Dir(path), "audit")
	} else if !a.InDatabase() {
		a.Dir = under(dir, cmp.Or(a.Dir, "data/audit"))
	}
	for i := range a.Checkpoints {
		place := &a.Checkpoints[i]
		folder := strings.HasSuffix(place.File, "/")
		if place.File = under(dir, place.File); folder && !strings.HasSuffix(place.File, "/") {
			place.File += "/" // which joining paths takes away
		}
		place.TokenFile = under(dir, place.TokenFile)
		place.S3.SecretKeyFile = under(dir, place.S3.SecretKeyFile)
	}
}

func (v *validator) audit() {
	a := v.c.Audit
	if a.Keep < 24*time.Hour || a.Keep > 10*365*24*time.Hour {
		v.add("audit.keep", a.Keep.String(), "24h to 87600h")
	}
	if a.CheckpointEvery < time.Second || a.CheckpointEvery > 10*time.Minute {
		v.add("audit.checkpoint_every", a.CheckpointEvery.String(), "1s to 10m")
	}
	if strings.HasPrefix(v.c.Database, "sqlite:") && a.InDatabase() {
		v.add("audit.dir", quote(a.Dir)+" with a SQLite database", "a folder beside the file (./database, if that is its name), or database with a PostgreSQL database")
	}
	if n := len(a.Checkpoints); n > maxCheckpoints {
		v.add("audit.checkpoints", fmt.Sprintf("%d places", n), fmt.Sprintf("at most %d", maxCheckpoints))
	}
	for i, place := range a.Checkpoints {
		v.checkpoint(fmt.Sprintf("audit.checkpoints[%d]", i), place)
		if slices.Index(a.Checkpoints, place) < i {
			v.add(fmt.Sprintf("audit.checkpoints[%d]", i), "the same place again", "it once")
		}
	}
}

func (v *validator) checkpoint(key string, place Checkpoint) {
	var kinds []string
	for _, kind := range []struct {
		name string
		set  bool
	}{{"file", place.File != ""}, {"url", place.URL != ""}, {"s3", place.S3 != S3{}}, {"witness", place.Witness != ""}} {
		if kind.set {
			kinds = append(kinds, kind.name)
		}
	}
	if len(kinds) != 1 {
		v.add(key, quote(strings.Join(kinds, ", ")), "exactly one of file, url, s3 and witness")
		return
	}
	if place.TokenFile != "" && place.URL == "" {
		v.add(key+".token_file", "a token for "+kinds[0], "url, or no such key")
	}
	if place.Key != "" && place.Witness == "" {
		v.add(key+".key", "a verifier key for "+kinds[0], "witness, or no such key")
	}
	switch kinds[0] {
	case "file":
		v.checkpointFile(key+".file", place.File)
	case "url":
		v.remote(key+".url", place.URL)
		v.secretFile(key+".token_file", place.TokenFile)
	case "s3":
		v.s3(key+".s3", place.S3)
	case "witness":
		v.remote(key+".witness", place.Witness)
		if _, err := tree.WitnessKey(place.Key); err != nil {
			v.add(key+".key", quote(place.Key)+" ("+err.Error()+")", "the witness's verifier key, NAME+ID+KEY")
		}
	}
}

// checkpointFile refuses a file that whoever puts back the log, the keys or the database puts
// back along with them: it would prove nothing.
func (v *validator) checkpointFile(key, file string) {
	folder := filepath.Dir(file)
	beside := map[string]string{"audit.dir": v.c.Audit.Dir, "the folder of keys_file": filepath.Dir(v.c.KeysFile)}
	if path, ok := strings.CutPrefix(v.c.Database, "sqlite:"); ok {
		beside["the folder of database"] = filepath.Dir(path)
	}
	for _, what := range slices.Sorted(maps.Keys(beside)) {
		if what == "audit.dir" && v.c.Audit.InDatabase() {
			continue
		}
		if folder == filepath.Clean(beside[what]) || what == "audit.dir" && within(folder, beside[what]) {
			v.add(key, quote(file)+" in "+what, "a file on another mount, which is not put back or lost together with that")
			return
		}
	}
}

// within says whether a folder is inside of another.
func within(folder, of string) bool {
	rel, err := filepath.Rel(of, folder)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// remote checks a URL of another machine, to which nothing may go in the clear.
func (v *validator) remote(key, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		v.add(key, "no URL (not shown)", "https://HOST/PATH")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		v.add(key, "a URL with a user, a query or a fragment (not shown)", "https://HOST/PATH")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		v.add(key, quote(text), "https, or http on a loopback address")
	}
}

// secretFile makes sure that a secret can be read; it is read again whenever it is used.
func (v *validator) secretFile(key, file string) {
	if file == "" {
		return
	}
	if text, err := os.ReadFile(file); err != nil {
		v.add(key, reason(err), "a readable file that holds the secret")
	} else if _, problem := secretOf(text); problem != "" {
		v.add(key, problem, "the secret, on one line")
	}
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-z0-9-]{1,50}$`)
	prefixText = regexp.MustCompile(`^[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,199}$`)
	accessKey  = regexp.MustCompile(`^[A-Za-z0-9_-]{3,128}$`)
)

func (v *validator) s3(key string, s S3) {
	for _, m := range []struct {
		key, value, want string
		form             *regexp.Regexp
	}{
		{"bucket", s.Bucket, "the name of a bucket", bucketName},
		{"region", s.Region, "a region such as eu-central-1", regionName},
		{"access_key_id", s.AccessKeyID, "the id of an access key", accessKey},
	} {
		if !m.form.MatchString(m.value) {
			v.add(key+"."+m.key, quote(m.value), m.want)
		}
	}
	if s.Prefix != "" && !prefixText.MatchString(s.Prefix) {
		v.add(key+".prefix", quote(s.Prefix), "letters, digits, and the characters - _ . / after the first; at most 200")
	}
	if s.Endpoint != "" {
		v.remote(key+".endpoint", s.Endpoint)
	}
	if s.SecretKeyFile == "" {
		v.add(key+".secret_key_file", "nothing", "the file with the secret access key")
	}
	v.secretFile(key+".secret_key_file", s.SecretKeyFile)
	switch s.ObjectLock {
	case "":
		if s.ObjectLockDays != 0 {
			v.add(key+".object_lock_days", fmt.Sprint(s.ObjectLockDays), "object_lock too, or no such key")
		}
	case "governance", "compliance":
		if s.ObjectLockDays < 1 || s.ObjectLockDays > 36500 {
			v.add(key+".object_lock_days", fmt.Sprint(s.ObjectLockDays), "1 to 36500 days")
		}
	default:
		v.add(key+".object_lock", quote(s.ObjectLock), "governance or compliance")
	}
}

// checkpoints notes places that protect less than they seem to.
func (n *notes) checkpoints() {
	if n.c.Audit.InDatabase() && len(n.c.Audit.Checkpoints) == 0 {
		n.add("audit.dir is database, and audit.checkpoints is empty: a database that is put back takes the audit log with it, and nothing tells; production refuses it")
	}
	for i, place := range n.c.Audit.Checkpoints {
		if place.S3 != (S3{}) && place.S3.ObjectLock == "" {
			n.add("audit.checkpoints[%d].s3 has no object_lock: whoever has its key can take checkpoints away, unless the bucket keeps them", i)
		}
		if place.URL != "" && place.TokenFile == "" {
			n.add("audit.checkpoints[%d].url has no token_file: whoever reaches it can write there too", i)
		}
	}
}

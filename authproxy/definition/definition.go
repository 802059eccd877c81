package definition

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
)

// Bounds of what is kept of one hosted server.
const (
	// maxText is the longest definition that can be accepted, in bytes. Salesforce's have
	// some thousand.
	maxText = 256 << 10
	// maxName is the longest name, in bytes: names are part of a key.
	maxName = 512
	// maxRows is how many rows one list of a server can have.
	maxRows = 2000
	// maxWaiting is how many definitions of one name wait or are rejected. The oldest gives
	// way to a new one, after flapping at the earliest.
	maxWaiting = 3
	// flapping bounds the rows, and with them the audit entries, of a definition that changes
	// with each list.
	flapping = 10 * time.Minute
)

// LearningTime is how long after the first answer operations that nobody knew are accepted as
// those of a first list are: there is no list of all, only searches.
const LearningTime = 24 * time.Hour

// Server is a hosted server: the org and the URL that it is reached at.
type Server struct{ Org, URL string }

// Kind is what a definition defines.
type Kind string

// The kinds. Each has a list of its own on each server.
const (
	Tool             Kind = "tool"
	Prompt           Kind = "prompt"
	ResourceTemplate Kind = "resource_template"
	// Operation is what a meta-tool describes and carries out, such as one REST request.
	Operation Kind = "operation"
)

// prefixes begin the names by which people and policies tell kinds apart.
var prefixes = map[Kind]string{Tool: "", Prompt: "prompt:", ResourceTemplate: "resource:", Operation: "operation:"}

// Called is a name as policies and commands write it: soqlQuery, prompt:NAME,
// resource:TEMPLATE, operation:ID.
func Called(kind Kind, name string) string { return prefixes[kind] + name }

// ParseCalled is the reverse of [Called].
func ParseCalled(called string) (Kind, string) {
	for kind, prefix := range prefixes {
		if name, ok := strings.CutPrefix(called, prefix); ok && prefix != "" {
			return kind, name
		}
	}
	return Tool, called
}

// Definition is what a list says of one name.
type Definition struct {
	Kind Kind
	Name string
	Text jsontext.Value // canonical
	// Digest is [Digest] of Text.
	Digest string
	// Twice: the list has the name more than once, so nobody knows what it means. Text is
	// the array of all of them.
	Twice bool
}

// Digest names a canonical definition: its SHA-256 in hexadecimal.
func Digest(text jsontext.Value) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// State of a definition.
type State string

// The states. Only what is accepted passes.
const (
	Accepted State = "accepted"
	Waiting  State = "waiting"
	Rejected State = "rejected"
)

// Why a definition was recorded.
type Why string

// The reasons.
const (
	FirstList   Why = "first_list"   // it is of the first list
	NewName     Why = "new"          // nothing is accepted under its name
	NewText     Why = "changed"      // another definition of its name is accepted
	ListedTwice Why = "listed_twice" // its name is listed more than once; it cannot be accepted
	TooLong     Why = "too_long"     // it cannot be accepted either
)

// Pinned is a definition as it is recorded.
type Pinned struct {
	Server
	Definition // Text is empty if Why is TooLong
	State      State
	Why        Why
	SeenAt     time.Time
	DecidedAt  time.Time   // zero: nobody has decided
	DecidedBy  actor.Actor // the proxy: it was of the first list
}

var (
	// ErrNotFound: no such definition is recorded, or another one by now.
	ErrNotFound = errors.New("no such definition is recorded")
	// ErrAlready: it was decided so before.
	ErrAlready = errors.New("the definition was decided so already")
	// ErrUnclear: what is listed twice or cannot be stored whole cannot be accepted.
	ErrUnclear = errors.New("the definition cannot be accepted")
	// ErrMoved: what is recorded under its name is not as it was seen any more.
	ErrMoved = errors.New("the definitions of that name are not as they were seen any more")
)

// nameable reports whether a definition can be recorded at all. A name that is not is as
// good as not there.
func (d *Definition) nameable() bool {
	return d.Name != "" && len(d.Name) <= maxName && utf8.ValidString(d.Name) && !strings.ContainsFunc(d.Name, unicode.IsControl)
}

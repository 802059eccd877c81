// Package actor says who acts: a Salesforce user, a person of the company, an operator at the command line, a
// client, a program with a token for the security team's API, the proxy itself. The audit log names an actor in every entry, and an approval
// keeps who decided it.
//
// An [Actor] is a value to be compared with ==. Its text is for lists and exports; what
// anybody may do is never found out from a text, because a part of it was typed by
// somebody.
package actor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is a kind of actor.
type Kind string

const (
	kindUser     Kind = "user"
	kindPerson   Kind = "person"
	kindOperator Kind = "operator"
	kindClient   Kind = "client"
	kindAPIToken Kind = "apitoken"
	kindProxy    Kind = "proxy"
	kindBrowser  Kind = "browser"
	kindStranger Kind = "stranger"
)

// Actor is who acts. The zero Actor is nobody. An Actor without a kind is one that an
// earlier version stored as a text that says no kind; none is made any more.
type Actor struct {
	Kind Kind
	// ID is a user's Salesforce user id, a person's issuer and subject with a space between
	// them, an operator's name in the operating system, a client's client_id, a token's name and
	// id with a colon between them; the others have none.
	ID string
	// As is the person that an operator names with --as, as typed; see [CheckName].
	As string
}

var (
	// Proxy acts without being asked: it refreshes logins, and reads its configuration.
	Proxy = Actor{Kind: kindProxy}
	// Browser is a person who has not signed in.
	Browser = Actor{Kind: kindBrowser}
	// Stranger is a program that has shown nothing.
	Stranger = Actor{Kind: kindStranger}
)

// User is the Salesforce user with that id, within the org of what they act on.
func User(id string) Actor { return Actor{Kind: kindUser, ID: id} }

// Person is who signed in with the company: the subject at that issuer.
func Person(issuer, subject string) Actor {
	return Actor{Kind: kindPerson, ID: issuer + " " + subject}
}

// Client is the client with that client_id.
func Client(id string) Actor { return Actor{Kind: kindClient, ID: id} }

// APIToken is a program that shows the token of that name and id for the security team's API.
func APIToken(name, id string) Actor { return Actor{Kind: kindAPIToken, ID: name + ":" + id} }

// Operator is who runs a command: name is theirs in the operating system, empty if it is
// not known; as is the person that they name, empty if they name none.
func Operator(name, as string) Actor { return Actor{Kind: kindOperator, ID: name, As: as} }

// PersonOf is the issuer and subject of a person of the company; false: a is somebody else.
func (a Actor) PersonOf() (issuer, subject string, ok bool) {
	if a.Kind != kindPerson {
		return "", "", false
	}
	return strings.Cut(a.ID, " ") // an issuer has no space
}

// IsIssuer reports whether what a person is looked for in is the identity provider of a
// company, a URL, and not an org, whose name has no colon.
func IsIssuer(org string) bool { return strings.Contains(org, ":") }

// IsUser reports whether a is a Salesforce user.
func (a Actor) IsUser() bool { return a.Kind == kindUser }

// IsOperator reports whether a is an operator, whoever they name.
func (a Actor) IsOperator() bool { return a.Kind == kindOperator }

// Known reports whether a has a kind of this version, and an id if that kind has one.
func (a Actor) Known() bool {
	switch a.Kind {
	case kindUser, kindPerson, kindClient, kindAPIToken:
		return a.ID != "" && a.As == ""
	case kindOperator:
		return true
	}
	return a == Proxy || a == Browser || a == Stranger
}

// String is the one text of an actor:
//
//	user 005…            client ID            proxy, browser, stranger
//	person ISSUER SUBJECT    apitoken NAME:ID
//	operator:NAME        operator:NAME as "PERSON"
//
// It begins with the kind. PERSON is quoted as in Go, so that nothing that was typed looks
// like another actor, or acts on a terminal. [Parse] reads it back.
func (a Actor) String() string {
	switch {
	case a.Kind == "":
		return a.ID
	case a.Kind == kindOperator && a.As != "":
		return operatorText(a.ID) + asMark + strconv.Quote(a.As)
	case a.Kind == kindOperator:
		return operatorText(a.ID)
	case a.ID != "":
		return string(a.Kind) + " " + a.ID
	}
	return string(a.Kind)
}

const asMark = " as "

func operatorText(name string) string {
	if name == "" {
		return string(kindOperator)
	}
	return string(kindOperator) + ":" + name
}

// Parse reads the text of an actor. It also reads the form in which earlier versions
// stored an operator who named a person, PERSON (operator:NAME): what a person is called
// there was typed, so the end of the text decides. A text of no known form is an Actor
// without a kind.
func Parse(text string) Actor {
	if i := strings.LastIndex(text, " ("); i >= 0 && strings.HasSuffix(text, ")") {
		if name, ok := parseOperator(text[i+2 : len(text)-1]); ok {
			return Operator(name, text[:i])
		}
	}
	if operator, person, ok := cutPerson(text); ok {
		if name, ok := parseOperator(operator); ok {
			return Operator(name, person)
		}
	}
	if name, ok := parseOperator(text); ok {
		return Operator(name, "")
	}
	kind, id, hasID := strings.Cut(text, " ")
	if a := (Actor{Kind: Kind(kind), ID: id}); a.Known() && a.Kind != kindOperator && hasID == (id != "") {
		return a
	}
	return Actor{ID: text}
}

func parseOperator(text string) (name string, ok bool) {
	if text == string(kindOperator) {
		return "", true
	}
	name, ok = strings.CutPrefix(text, string(kindOperator)+":")
	return name, ok && name != ""
}

// cutPerson cuts the quoted person off the end of an operator's text.
func cutPerson(text string) (operator, person string, ok bool) {
	for i := 0; ; i++ {
		next := strings.Index(text[i:], asMark+`"`)
		if next < 0 {
			return "", "", false
		}
		i += next
		if person, err := strconv.Unquote(text[i+len(asMark):]); err == nil {
			return text[:i], person, true
		}
	}
}

// MarshalText is String, for JSON.
func (a Actor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is Parse.
func (a *Actor) UnmarshalText(text []byte) error {
	*a = Parse(string(text))
	return nil
}

// maxName bounds the name of a person, in characters.
const maxName = 100

// CheckName says what is wrong with the name that somebody types for a person.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("the name is empty")
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("the name has more than %d characters", maxName)
	case strings.ContainsFunc(name, isUnseen):
		return errors.New("the name holds a control or formatting character")
	}
	return nil
}

// isUnseen reports control and formatting characters, but for the two joiners, without
// which names in some languages cannot be written.
func isUnseen(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return r != nonJoiner && r != joiner && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

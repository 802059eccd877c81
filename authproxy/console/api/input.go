package api

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
)

// Param is a parameter of a query.
type Param struct {
	Name, Doc string
	Enum      []string
	// Least and Most, if Most is not 0, make it a whole number between them.
	Least, Most int64
	// Length is how many characters a text has at most; 0: [maxText].
	Length int
}

// length is how many characters a text has at most.
func (p Param) length() int { return cmp.Or(p.Length, maxText) }

// Bounds of what is asked for.
const (
	maxText    = 300  // characters of one parameter
	maxClient  = 2048 // of a client id, which may be the URL of its document
	maxCursor  = 3000 // of a cursor, which holds one in base64
	pageLength = 50
	maxPage    = 200
)

// paging are the parameters of a list.
func paging(others ...Param) []Param {
	return append(others,
		Param{Name: "limit", Doc: fmt.Sprintf("how many, %d without it", pageLength), Least: 1, Most: maxPage},
		Param{Name: "cursor", Doc: "next of the answer before: where to go on", Length: maxCursor})
}

// checkedQuery reads a query that has no parameter but those, each once.
func checkedQuery(raw string, params []Param) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest.is("The query cannot be read.", "Escape its values by percent signs.")
	}
	for name, values := range query {
		at := slices.IndexFunc(params, func(p Param) bool { return p.Name == name })
		switch {
		case at < 0 && len(params) == 0:
			return nil, badRequest.is("This address takes no query.", "Send the request without one. A token belongs in the Authorization header.")
		case at < 0:
			return nil, badRequest.is(fmt.Sprintf("The query has a parameter %q, which is not known here.", clipped(name)), "Use "+paramNames(params)+".")
		case len(values) != 1:
			return nil, badRequest.is("The query has "+name+" more than once.", "Send it once.")
		}
		if err := params[at].check(values[0]); err != nil {
			return nil, err
		}
	}
	return query, nil
}

func clipped(text string) string { return text[:min(len(text), 40)] }

func paramNames(params []Param) string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// check says what is wrong with a value.
func (p Param) check(value string) error {
	switch {
	case len(p.Enum) > 0 && !slices.Contains(p.Enum, value):
		return badRequest.is(fmt.Sprintf("%s: %q is none of its values.", p.Name, clipped(value)), "Use "+strings.Join(p.Enum, ", ")+".")
	case p.Most != 0:
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < p.Least || n > p.Most || strconv.FormatInt(n, 10) != value {
			return badRequest.is(fmt.Sprintf("%s: %q is no whole number between %d and %d.", p.Name, clipped(value), p.Least, p.Most), "Send one that is.")
		}
	case value == "" || !utf8.ValidString(value) || utf8.RuneCountInString(value) > p.length() || strings.ContainsFunc(value, isControl):
		return badRequest.is(fmt.Sprintf("%s: expected 1 to %d characters, none of them a control character.", p.Name, p.length()), "Shorten it, or leave it away.")
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// page is the part of a list that a request asks for: those behind its cursor. Lists are in the
// order of their keys, so that what ends or begins meanwhile moves nothing.
func page[T any](q *call, all []T, key func(T) string) (items []T, next string, err error) {
	slices.SortStableFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	begin := 0
	if cursor := q.query.Get("cursor"); cursor != "" {
		after, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err != nil {
			return nil, "", wrongCursor()
		}
		begin, _ = slices.BinarySearchFunc(all, string(after), func(one T, after string) int {
			if key(one) <= after {
				return -1
			}
			return 1
		})
	}
	end := min(len(all), begin+q.limit())
	if end < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte(key(all[end-1])))
	}
	return append([]T{}, all[begin:end]...), next, nil
}

// cursorOf is the cursor behind the item with a key of two parts, of which the first has no space.
func cursorOf(first, second string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(first + " " + second))
}

// behind is the key that the cursor of a request holds; empty without one. It goes to the database,
// so what no item of ours can have is refused.
func (q *call) behind() (first, second string, err error) {
	cursor := q.query.Get("cursor")
	if cursor == "" {
		return "", "", nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	first, second, two := strings.Cut(string(text), " ")
	if err != nil || !two || !utf8.Valid(text) || strings.ContainsFunc(string(text), isControl) {
		return "", "", wrongCursor()
	}
	return first, second, nil
}

// wrongCursor refuses a cursor that no answer of ours had.
func wrongCursor() *Problem {
	return badRequest.is("cursor: it is none that an answer had.", `Send what the answer before had as "next", or none to begin anew.`)
}

// limit is how many items a request asks for.
func (q *call) limit() int {
	if n, err := strconv.Atoi(q.query.Get("limit")); err == nil {
		return n
	}
	return pageLength
}

// decoded reads a body into a struct: no member that it lacks, none twice, every one within the
// bounds that its tags say.
func decoded[In any](text []byte) (*In, error) {
	in := new(In)
	if hasNull(text) { // which would count as a member that was left away, or as an empty object
		return nil, badRequest.is("The body has null, which is no value of anything here.", "Leave the member away, or send {} for an empty body.")
	}
	if err := json.Unmarshal(text, in, json.RejectUnknownMembers(true)); err != nil {
		return nil, badRequest.is("The body is not the JSON object that is expected here: "+reasonOf(err)+".", "See the description of this address in "+documentPath+".")
	}
	if err := checkStruct(reflect.ValueOf(in).Elem()); err != nil {
		return nil, err
	}
	return in, nil
}

// hasNull reports whether null stands anywhere in a JSON text, as far as it is one.
func hasNull(text []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		switch t, err := d.ReadToken(); {
		case err != nil:
			return false
		case t.Kind() == 'n':
			return true
		}
	}
}

// reasonOf is what is wrong with a body, without its values.
func reasonOf(err error) string {
	text := err.Error()
	text, _, _ = strings.Cut(text, "\n")
	if !utf8.ValidString(text) || len(text) > maxText {
		return "it cannot be read"
	}
	return strings.ToValidUTF8(text, "")
}

// checkStruct checks the members of a body.
func checkStruct(v reflect.Value) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		s := schemaOf(field)
		if value.Kind() == reflect.Pointer {
			if value.IsNil() {
				if !s.required {
					continue
				}
				return badRequest.is("The body lacks "+s.name+".", "Send it.")
			}
			value = value.Elem()
		}
		var err error
		switch value.Kind() {
		case reflect.String:
			if err = s.checkText(value.String()); err == nil && value.Type() == reasonType {
				err = cleanReason(s.name, value)
			}
		case reflect.Int64:
			if n := value.Int(); n < s.min || s.max != 0 && n > s.max {
				err = badRequest.is(fmt.Sprintf("%s: %d is not between %d and %d.", s.name, n, s.min, s.max), "Send a number that is.")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Reason is why a program does something, of a body that was read: as it is recorded, which is never nothing.
type Reason string

var reasonType = reflect.TypeFor[Reason]()

// cleanReason makes the reason of a body what is recorded of it. One in which nothing can be seen is refused
// here, before anything is done: an act that the log does not take would be done by halves.
func cleanReason(name string, value reflect.Value) error {
	why, err := actor.ForAct.Clean(value.String())
	if err != nil {
		return badRequest.is(fmt.Sprintf("%s: expected %s that can be seen.", name, actor.ForAct), "Say why in a few words; they stand in the audit log.")
	}
	value.SetString(why)
	return nil
}

// checkText checks a text of a body.
func (s field) checkText(text string) error {
	n := int64(utf8.RuneCountInString(text))
	switch {
	case text == "" && !s.required:
		return nil
	case len(s.enum) > 0 && !slices.Contains(s.enum, text):
		return badRequest.is(s.name+" has none of its values.", "Use "+strings.Join(s.enum, " or ")+".")
	case n < s.min || s.max != 0 && n > s.max || s.min > 0 && strings.TrimSpace(text) == "":
		return badRequest.is(fmt.Sprintf("%s: expected %d to %d characters, not only white space.", s.name, s.min, s.max), "Say it in so many.")
	case !s.free && strings.ContainsFunc(text, isControl):
		return badRequest.is(s.name+" holds a control character.", "Leave it away.")
	}
	return nil
}

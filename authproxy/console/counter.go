package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/ui"
)

// Proposals puts another call in the place of one that waits; see approval.Store.Counter.
type Proposals interface {
	// Counter proposes the same call with other values, in the name of by. Errors are those of
	// [Decisions], and [approval.ErrProposal], whose text says what is wrong.
	Counter(ctx context.Context, by approval.Decider, id string, arguments jsontext.Value) (*approval.Request, error)
}

// Bounds of what can be changed in a form.
const (
	maxEditable = 100 // values, from the first
	shortValue  = 120 // characters that fit into a line
)

// proposing are the pages on which somebody proposes other values for a call.
type proposing struct{ *Console }

// proposed returns the call in the path if the viewer may propose other values for it.
func (c proposing) proposed(r *http.Request, v *visit) (*approval.Request, error) {
	a, may, err := c.own(r.Context(), mux.Vars(r)["id"], v)
	if err == nil && may.Propose != nil {
		err = errNoProposal
	}
	return a, err
}

// counter offers the values of a call to be changed.
func (c proposing) counter(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := c.proposed(r, v)
	if err != nil {
		return err
	}
	return c.showValues(w, r, v, a, a.Arguments, "")
}

// propose shows what would be proposed, or proposes what was shown.
func (c proposing) propose(w http.ResponseWriter, r *http.Request, v *visit) error {
	a, err := c.proposed(r, v)
	if err != nil {
		return err
	}
	if text := v.form.Get("arguments"); text != "" {
		return c.sendProposal(w, r, v, a, jsontext.Value(text))
	}
	other, err := changed(a.Arguments, func(i int) (string, bool) {
		name := "v" + strconv.Itoa(i)
		return v.form.Get(name), v.form.Has(name)
	})
	if wrong, ok := errors.AsType[*wrongValue](err); ok {
		return c.showValues(w, r, v, a, a.Arguments, wrong.text)
	}
	if err != nil {
		return err
	}
	if bytes.Equal(other, a.Arguments) {
		return c.showValues(w, r, v, a, other, "Nothing is changed yet.")
	}
	return c.showProposal(w, r, v, a, other)
}

// sendProposal puts the other call in the place of the first.
func (c proposing) sendProposal(w http.ResponseWriter, r *http.Request, v *visit, a *approval.Request, arguments jsontext.Value) error {
	other, err := c.Proposals.Counter(r.Context(), v.decider(a), a.ID, arguments)
	switch {
	case errors.Is(err, approval.ErrProposal):
		return c.showValues(w, r, v, a, a.Arguments, "This cannot be proposed: "+approval.WhyRefused(err)+".")
	case errors.Is(err, approval.ErrGone):
		return c.show(w, r, http.StatusGone, v, nil)
	case errors.Is(err, approval.ErrNotFound):
		return errNoCall
	case errors.Is(err, approval.ErrNotApprover):
		return errNoProposal
	case err != nil:
		return err
	}
	http.Redirect(w, r, "/approvals/"+other.ID, http.StatusSeeOther)
	return nil
}

// showValues is the form in which values are changed; problem says what is wrong with those that
// were sent.
func (c proposing) showValues(w http.ResponseWriter, r *http.Request, v *visit, a *approval.Request, arguments jsontext.Value, problem string) error {
	all, err := leaves(arguments)
	if err != nil {
		return err
	}
	page := c.proposalPage(v, a)
	status := http.StatusOK
	if problem != "" {
		status = http.StatusBadRequest
		page.Notes = append(page.Notes, ui.ConsoleNote{Kind: "denied", Text: problem + " Nothing was done."})
	}
	act := &ui.Act{CSRF: v.viewer.CSRF, Approval: true, Path: a.ID + "/counter", Label: "Show what would be proposed",
		Text: "Change what should be otherwise. Numbers, true and false are written as in JSON."}
	kept := 0
	for i, l := range all {
		if !l.editable() || i >= maxEditable {
			kept++
			continue
		}
		act.Inputs = append(act.Inputs, ui.SearchField{Name: "v" + strconv.Itoa(i), Label: ui.Printable(l.path), Value: l.text,
			Long: len(l.text) > shortValue || strings.Contains(l.text, "\n"), Rare: false})
	}
	if kept > 0 {
		act.Text += " " + counted(kept, "value") + " cannot be changed here and will stay: for characters that a form does not keep, as an empty list or nothing, or for coming after the first " + strconv.Itoa(maxEditable) + "."
	}
	page.Sections = append(page.Sections, ui.Section{Acts: []*ui.Act{act}})
	c.render(w, r, status, page)
	return nil
}

// showProposal shows how the other call differs, and asks to propose it.
func (c proposing) showProposal(w http.ResponseWriter, r *http.Request, v *visit, a *approval.Request, other jsontext.Value) error {
	replaced, err := differences(a.Arguments, other)
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Values that differ", Columns: []string{"Value", "Asked for", "Proposed"}}
	for _, l := range replaced {
		table.Rows = append(table.Rows, []ui.Cell{{Text: l.Path, Code: true}, {Text: l.Was}, {Text: l.Is}})
	}
	page := c.proposalPage(v, a)
	page.Sections = append(page.Sections, ui.Section{Heading: "What you would propose", Table: table,
		Acts: []*ui.Act{{CSRF: v.viewer.CSRF, Approval: true, Path: a.ID + "/counter", Label: "Propose this",
			Text:   "The call as it was asked for ends. The assistant is told these values, and makes the call with them once others have agreed: you proposed it, so you do not count.",
			Fields: []ui.HiddenField{{Name: "arguments", Value: string(other)}}}}})
	c.render(w, r, http.StatusOK, page)
	return nil
}

func (c proposing) proposalPage(v *visit, a *approval.Request) ui.ConsolePage {
	return ui.ConsolePage{Viewer: v.viewer, Title: "Propose other values", Back: &ui.Link{Text: "The call as it was asked for", Path: "/approvals/" + a.ID},
		Lead: sentence(a)}
}

// inPlace is how a call that somebody proposed differs from the one in whose place it is; nil:
// nobody proposed it, or what was asked for is no longer kept.
func (c proposing) inPlace(ctx context.Context, a *approval.Request) ([]ui.Replaced, error) {
	if a.CounterOf == "" || a.Arguments == nil {
		return nil, nil
	}
	of, err := c.Approvals.Get(ctx, a.CounterOf)
	if errors.Is(err, approval.ErrNotFound) || err == nil && of.Arguments == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return differences(of.Arguments, a.Arguments)
}

// differences are the values in which two calls of the same form differ.
func differences(before, after jsontext.Value) (all []ui.Replaced, err error) {
	was, err := leaves(before)
	if err != nil {
		return nil, err
	}
	is, err := leaves(after)
	if err != nil {
		return nil, err
	}
	for i := range min(len(was), len(is)) {
		if !bytes.Equal(was[i].raw, is[i].raw) {
			all = append(all, ui.Replaced{Path: was[i].path, Was: was[i].text, Is: is[i].text})
		}
	}
	return all, nil
}

// leaf is a value in arguments that holds no others.
type leaf struct {
	path string // as people read it
	raw  jsontext.Value
	text string // of a text: itself; else as in JSON
}

// editable reports whether a form gives the value back as it was, if nobody changes it.
func (l leaf) editable() bool {
	switch l.raw.Kind() {
	case '"':
		return !strings.HasPrefix(l.text, "\n") && !strings.ContainsFunc(strings.ReplaceAll(l.text, "\n", ""), ui.Hidden)
	case '0', 't', 'f':
		return true
	}
	return false
}

// wrongValue is that what was typed is no value of that kind.
type wrongValue struct{ text string }

func (w *wrongValue) Error() string { return w.text }

// replaced is the value that was typed in the place of this one, of the same kind.
func (l leaf) replaced(typed string) (jsontext.Value, error) {
	if l.raw.Kind() == '"' {
		return jsontext.AppendQuote(nil, strings.ReplaceAll(typed, "\r\n", "\n"))
	}
	value := jsontext.Value(strings.TrimSpace(typed))
	isBool := l.raw.Kind() != '0'
	if !value.IsValid() || isBool && value.Kind() != 't' && value.Kind() != 'f' || !isBool && value.Kind() != '0' {
		want := "a number"
		if isBool {
			want = "true or false"
		}
		return nil, &wrongValue{"The value of " + ui.Printable(l.path) + " must be " + want + "."}
	}
	return value, nil
}

// leaves are the values of arguments, in their order.
func leaves(arguments jsontext.Value) (all []leaf, err error) {
	err = walk(arguments, jsontext.NewEncoder(io.Discard), func(l leaf) (jsontext.Value, error) {
		all = append(all, l)
		return l.raw, nil
	})
	return all, err
}

// changed are arguments with the values that typed has for the leaf of that number.
func changed(arguments jsontext.Value, typed func(i int) (string, bool)) (jsontext.Value, error) {
	var out bytes.Buffer
	i := -1
	err := walk(arguments, jsontext.NewEncoder(&out), func(l leaf) (jsontext.Value, error) {
		i++
		text, ok := typed(i)
		if !ok || !l.editable() || i >= maxEditable {
			return l.raw, nil
		}
		return l.replaced(text)
	})
	if err != nil {
		return nil, err
	}
	return jsontext.AppendFormat(nil, bytes.TrimSpace(out.Bytes()), jsontext.ReorderRawObjects(true))
}

// walk copies arguments with what f returns for each value that holds no others.
func walk(arguments jsontext.Value, to *jsontext.Encoder, f func(leaf) (jsontext.Value, error)) error {
	from := jsontext.NewDecoder(bytes.NewReader(arguments))
	for {
		kind := from.PeekKind()
		parent, n := from.StackIndex(from.StackDepth())
		isName := kind == '"' && parent == '{' && n%2 == 0
		if !isName && kind != '{' && kind != '[' && kind != '}' && kind != ']' {
			raw, err := from.ReadValue()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			l := leaf{path: strings.TrimPrefix(strings.ReplaceAll(string(from.StackPointer()), "/", " › "), " › "), raw: raw.Clone(), text: string(raw)}
			if raw.Kind() == '"' {
				text, err := jsontext.AppendUnquote(nil, raw)
				if err != nil {
					return err
				}
				l.text = string(text)
			}
			value, err := f(l)
			if err == nil {
				err = to.WriteValue(value)
			}
			if err != nil {
				return err
			}
			continue
		}
		token, err := from.ReadToken()
		if err == nil {
			err = to.WriteToken(token)
		}
		if err != nil {
			return err
		}
	}
}

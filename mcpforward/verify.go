package mcpforward

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/preview"
)

// readRecord reads a record as the requester of a, by one query that the policy must allow at once,
// without the fields that it hides, which are returned. It is recorded as that action, with what
// conclude says of the record, nil if there is none. The error is for people.
func (h *Handler) readRecord(ctx context.Context, a *approval.Request, q preview.Question, action audit.Action,
	conclude func(preview.Record, []string) string) (record preview.Record, hidden []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, currentTime)
	defer cancel()
	reading := currentReading{Handler: h, approval: a, question: q}
	err = reading.run(ctx, action, func() string {
		if len(reading.records) > 0 {
			record = reading.records[0]
		}
		return conclude(record, reading.hidden)
	})
	if err != nil {
		return nil, nil, errNotRead(whyNotRead(err))
	}
	return record, reading.hidden, nil
}

// verification reads the record of a call before and after it, where its rule says verify. The
// client waits for that, a few seconds at most.
type verification struct {
	*call
	images *approval.Images // of which before was read; nil: nothing was
}

// wanted reports whether the call is to be verified.
func (v *verification) wanted() bool { return v.approval != nil && v.decision.Confirmation.Verify }

// request is the approval as of the connection that makes the call.
func (v *verification) request() *approval.Request {
	a := *v.approval
	a.GrantID = v.grant.ID
	return &a
}

// replaces is the question for what the call replaces; ok is false if nothing is to be read.
func (v *verification) replaces() (q preview.Question, all, ok bool) {
	if !v.wanted() || v.decision.Class == policy.Create {
		return q, false, false
	}
	q, all, ok = preview.RecordOf(v.tool, v.arguments, "")
	return q, all, ok && len(q.Fields) > 0
}

// readBefore reads what the call replaces. That it cannot be read keeps nothing from being made.
func (v *verification) readBefore(ctx context.Context) {
	q, all, ok := v.replaces()
	if !ok {
		return
	}
	record, _, err := v.readRecord(ctx, v.request(), q, audit.ApprovalPreview, func(preview.Record, []string) string { return "before the call" })
	if err == nil && record != nil {
		v.keepBefore(q, all, func(name string) jsontext.Value { return jsontext.Value(record.Field(name)) })
	}
}

// takeBefore takes what the call replaces from what was read to see whether it was shown.
func (v *verification) takeBefore(now *approval.Current) {
	q, all, ok := v.replaces()
	if !ok || now.Missing != "" || now.New {
		return
	}
	v.keepBefore(q, all, func(name string) jsontext.Value {
		i := slices.IndexFunc(now.Fields, func(f approval.CurrentField) bool { return f.Name == name && !f.Hidden })
		if i < 0 {
			return nil
		}
		return now.Fields[i].Now
	})
}

// keepBefore keeps what the fields had; nil: that is not known. all: they are all that the call sets.
func (v *verification) keepBefore(q preview.Question, all bool, had func(name string) jsontext.Value) {
	v.images = &approval.Images{Object: q.Object, ID: q.ID, Read: true, Partial: !all}
	for _, name := range q.Fields {
		if value := had(name); value != nil {
			v.images.Fields = append(v.images.Fields, approval.Image{Name: name, Before: value})
		} else {
			v.images.Partial = true
		}
	}
}

// readAfter reads what Salesforce has once the call was carried out, and records how that compares
// with what the call set.
func (v *verification) readAfter() {
	if !v.wanted() || v.outcome.approval != approval.Done {
		return
	}
	verdict := approval.Unread
	if q, all, ok := preview.RecordOf(v.tool, v.arguments, v.made()); ok {
		if v.images == nil {
			v.images = &approval.Images{Object: q.Object, ID: q.ID}
		}
		v.images.Partial = v.images.Partial || !all
		_, hidden, err := v.readRecord(v.lasting, v.request(), withModified(q), audit.ApprovalVerify, func(record preview.Record, hidden []string) (said string) {
			verdict, said = v.compare(q, record, hidden)
			return said
		})
		if err != nil {
			verdict = approval.Unread
		}
		v.images.Partial = v.images.Partial || slices.ContainsFunc(hidden, func(name string) bool { return name != preview.Modified })
	}
	if err := v.Approvals.SaveCheck(v.lasting, v.approval.ID, verdict, v.images); err != nil {
		v.Log.ErrorContext(v.lasting, "what a call came to was not recorded with its approval", "approval", v.approval.ID, "error", err)
	}
}

func withModified(q preview.Question) preview.Question {
	q.Fields = append(slices.Clone(q.Fields), preview.Modified)
	return q
}

// made is the id of the one record that the answer says was made; "" if it says no such thing.
func (v *verification) made() string {
	id := ""
	for _, r := range v.outcome.found.Named {
		if r.Class != policy.Create {
			continue
		}
		if id != "" {
			return ""
		}
		id = r.ID
	}
	return id
}

// compare says what Salesforce made of the call, and notes it in the images.
func (v *verification) compare(q preview.Question, record preview.Record, hidden []string) (approval.Verification, string) {
	if v.decision.Class == policy.Delete {
		if record == nil {
			return approval.Intended, "as intended: the record is gone"
		}
		return approval.Differs, "differs: the record is still there"
	}
	if record == nil {
		return approval.Differs, "differs: there is no such record"
	}
	v.images.Modified = record.Text(preview.Modified)
	set, differs := preview.Fields(v.tool, v.arguments), []string(nil)
	for _, name := range q.Fields {
		if slices.Contains(hidden, name) {
			continue
		}
		image := v.image(name)
		image.Set, image.After = jsontext.Value(set[strings.ToLower(name)]), jsontext.Value(record.Field(name))
		if !preview.Same(set[strings.ToLower(name)], record.Field(name)) {
			differs = append(differs, name+" is "+valueText(record.Field(name)))
		}
	}
	if len(differs) > 0 {
		return approval.Differs, "differs: " + strings.Join(differs, ", ")
	}
	if len(hidden) > 0 {
		return approval.Intended, "as intended, as far as rules do not hide it"
	}
	return approval.Intended, "as intended"
}

// image is the one of that field.
func (v *verification) image(name string) *approval.Image {
	i := slices.IndexFunc(v.images.Fields, func(f approval.Image) bool { return f.Name == name })
	if i < 0 {
		i = len(v.images.Fields)
		v.images.Fields = append(v.images.Fields, approval.Image{Name: name})
	}
	return &v.images.Fields[i]
}

// valueText is a value in an entry.
func valueText(value json.RawMessage) string {
	return cmp.Or(shortened(string(value), 200), "not answered")
}

// LostQuery is the query that tells a person whether a call was carried out whose answer was lost;
// "" where there is none.
func (h *Handler) LostQuery(a *approval.Request) string {
	s := h.Access.Server(a.Server)
	if s == nil || !policy.DescribesObjects(s.URL) {
		return ""
	}
	return preview.Lost(a.Tool, a.Arguments, a.Subject, a.SpentAt)
}

// undoError is an [approval.ErrUndo] in words.
func undoError(why string) error { return approval.Refuse(approval.ErrUndo, "%s", why) }

// errUndoFree tells which call undoes one where the rules ask nobody about it.
func errUndoFree(tool string, arguments jsontext.Value) error {
	return undoError(fmt.Sprintf("the rules ask nobody about it: have the assistant call %s with exactly these arguments: %s", tool, arguments))
}

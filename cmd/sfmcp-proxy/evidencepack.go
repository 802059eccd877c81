package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/reports"
)

// controls are what --control can be: the entries that show it, and what is made of them.
var controls = map[string]struct {
	actions []string
	files   func(p *packing, b *pack.Builder) error
}{
	"access":  {reports.AccessActions, (*packing).accessFiles},
	"policy":  {reports.PolicyActions, (*packing).changeFiles},
	"reviews": {[]string{"review."}, nil},
}

func evidenceCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "evidence", Short: "Pack what the log has of a person, an approval, a control or a time, with proofs",
		Long: `evidence packs entries of the audit log for somebody who has neither this machine nor a reason to
trust it: the records, the proof of each, the signed checkpoint, what the entries say in the clear,
counts, and a manifest with the SHA-256 of each file. That the pack was made is an entry of the log
that holds the SHA-256 of the manifest, and lies beside it with its proof. 'evidence verify' checks
all of it with the public key of the log alone.

  --user USER          everything that concerns one user, their connections and calls that waited
  --approval APPROVAL  one call that waited, from asking to what Salesforce answered
  --control access     who was given access and lost it, with the time between
  --control policy     changes of the configuration, the policies and the definitions
  --control reviews    access reviews: what was in them and what was decided
  --since, --until     alone: every entry of a time; with one of the others: only those of a time`,
		Args: usageArgs(cobra.NoArgs)}, makeEvidence)
	f := cmd.Flags()
	f.String("user", "", "a Salesforce user id or username")
	f.String("approval", "", "the id of a call that waited")
	f.String("control", "", "access, policy or reviews")
	f.String("since", "", "from then on: "+timeForms)
	f.String("until", "", "before then; a date means its end")
	f.String("output", "", "the pack: a new directory, or a new archive if the name ends with .tar")
	f.String("as", "", "who it is made for: a name for the audit log, beside that of the operator")
	cmd.AddCommand(evidenceVerifyCommand())
	return cmd
}

// packing makes one pack.
type packing struct {
	*stores
	cmd     *cobra.Command
	about   string
	when    audit.Filter   // the time that is asked for
	filters []audit.Filter // what is packed: all entries that one of them selects
	person  audit.Entry    // of a pack about a user: whom the entries about it name
	users   []grant.User
	files   func(*packing, *pack.Builder) error
}

func makeEvidence(s *stores, cmd *cobra.Command, _ []string) error {
	p := &packing{stores: s, cmd: cmd}
	output := cmd.Flags().Lookup("output").Value.String()
	if output == "" {
		return usageError{errors.New("--output is required: a new directory, or FILE.tar")}
	}
	if err := p.choose(); err != nil {
		return err
	}
	manifest := pack.Manifest{Created: s.now().UTC(), By: p.by().Actor.String(), Version: version, About: p.about, Since: p.when.Since.UTC(), Until: p.when.Until.UTC()}
	b, err := pack.Create(output, manifest)
	if err != nil {
		return usageError{fmt.Errorf("--output: %w; nothing was done", err)}
	}
	bound, err := p.make(b)
	if err != nil {
		return err
	}
	m := b.Manifest
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s: %d %s, %s; entry %d of the log holds the SHA-256 of its manifest\ncheck it with: sfmcp-proxy evidence verify %s --key KEY\n",
		output, m.Entries.Count, entries(m.Entries.Count), counted(len(m.Files), "file"), bound, output)
	for _, what := range m.Missing {
		err = errors.Join(err, errors.New("missing: "+what))
	}
	return err
}

// by is the entry of who makes the pack.
func (p *packing) by() audit.Entry {
	e := p.person
	e.Actor, e.Action = operator(p.cmd.Flags().Lookup("as").Value.String()), audit.EvidenceMake
	return e
}

// choose reads what is to be packed.
func (p *packing) choose() error {
	text := func(name string) string { return p.cmd.Flags().Lookup(name).Value.String() }
	if err := setTimes(&p.when, text("since"), text("until"), p.now()); err != nil {
		return usageError{err}
	}
	user, id, control := text("user"), text("approval"), text("control")
	asked := slices.DeleteFunc([]string{user, id, control}, func(s string) bool { return s == "" })
	switch {
	case len(asked) > 1:
		return usageError{errors.New("--user, --approval and --control exclude each other")}
	case user != "":
		return p.aboutUser(user)
	case id != "":
		if text("since")+text("until") != "" {
			return usageError{errors.New("--approval has a time of its own: leave --since and --until out")}
		}
		return p.aboutApproval(id)
	case control != "":
		c, known := controls[control]
		if !known {
			return usageError{fmt.Errorf("--control: expected access, policy or reviews, found %q", control)}
		}
		p.about, p.files = "control "+control, c.files
		for _, action := range c.actions {
			f := p.when
			f.Action = action
			p.filters = append(p.filters, f)
		}
		return nil
	case text("since") == "":
		return usageError{errors.New("say what: --user, --approval, --control, or --since for every entry of a time")}
	}
	p.about, p.filters = "period", []audit.Filter{p.when}
	return nil
}

func (p *packing) aboutUser(user string) error {
	person, err := p.personIn(p.cmd.Context(), user)
	if err != nil {
		return err
	}
	for _, subject := range person.Subjects {
		users, err := p.grants.FindUsers(p.cmd.Context(), subject)
		if err != nil {
			return err
		}
		p.users = append(p.users, users...)
	}
	if len(p.users) > 0 {
		p.person = audit.Entry{Org: p.users[0].Org, Subject: p.users[0].Subject, Username: p.users[0].Username}
	}
	f := p.when
	f.Person = person
	p.about, p.filters, p.files = "user "+user, []audit.Filter{f}, (*packing).userFiles
	return nil
}

func (p *packing) userFiles(b *pack.Builder) error {
	of := evidenceOf{p.stores}
	return errors.Join(
		b.File("connections.json", func(w io.Writer) error { return of.connectionsOf(p.cmd, evidence{users: p.users}, w) }),
		b.File("approvals.json", func(w io.Writer) error { return of.approvalsOf(p.cmd, evidence{users: p.users}, w) }))
}

// aboutApproval packs what the record of one call is made of; that it was read is one of the entries.
func (p *packing) aboutApproval(id string) error {
	by, err := decider(p.cmd)
	if err != nil {
		return err
	}
	record, err := p.newDecisions().Evidence(p.cmd.Context(), by, id)
	if err != nil {
		if errors.Is(err, approval.ErrNotFound) {
			err = noApproval(id)
		}
		return err
	}
	p.about, p.filters = "approval "+id, []audit.Filter{{Approval: id}}
	p.person = audit.Entry{Org: record.Org, Subject: record.Subject, Username: record.Username}
	p.files = func(_ *packing, b *pack.Builder) error {
		return b.File("record.json", func(w io.Writer) error { return indented(w, record) })
	}
	return nil
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// accessFiles say who had access from when to when: from the whole log, because what ends within
// the time may have begun before it.
func (p *packing) accessFiles(b *pack.Builder) error {
	var all []audit.Entry
	for _, action := range reports.AccessActions {
		if err := p.audit.List(p.cmd.Context(), audit.Filter{Action: action, Until: p.when.Until}, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b audit.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	var h reports.AccessHistory
	for _, e := range all {
		h.Add(e)
	}
	rows := h.Within(p.when.Since, p.when.Until)
	return errors.Join(b.File("access.json", func(w io.Writer) error { return indented(w, rows) }),
		b.File("access.csv", func(w io.Writer) error { return reports.WriteAccessCSV(w, rows) }))
}

// changeFiles are the entries as a table.
func (p *packing) changeFiles(b *pack.Builder) error {
	rows := []reports.Event{}
	for _, f := range p.filters {
		if err := p.audit.List(p.cmd.Context(), f, func(e audit.Entry) error { rows = append(rows, reports.EventOf(e)); return nil }); err != nil {
			return err
		}
	}
	slices.SortFunc(rows, func(a, b reports.Event) int { return cmp.Compare(a.Entry, b.Entry) })
	return errors.Join(b.File("changes.json", func(w io.Writer) error { return indented(w, rows) }),
		b.File("changes.csv", func(w io.Writer) error { return reports.WriteEventsCSV(w, rows) }))
}

// make writes the pack, records that before and after, and returns the number of the entry that
// binds it.
func (p *packing) make(b *pack.Builder) (bound int64, err error) {
	ctx := p.cmd.Context()
	intent := p.by()
	intent.Outcome, intent.Object = audit.Intent, p.about
	if p.filters[0].Person.Subjects != nil || p.filters[0].Person.Usernames != nil { // whom it is about stands where it can be erased
		intent.Object = "a person"
	}
	seq, err := p.audit.Append(ctx, intent)
	if err != nil {
		return 0, errors.Join(err, b.Abandon())
	}
	fail := func(err error) error {
		failed := intent
		failed.Outcome, failed.Reason, failed.IntentSeq = audit.Failed, err.Error(), seq
		p.audit.Record(ctx, failed)
		return errors.Join(err, b.Abandon())
	}
	prover, err := p.audit.Published().Prover(ctx)
	if err == nil {
		err = p.entries(b, prover)
	}
	if err == nil && p.files != nil {
		err = p.files(p, b)
	}
	if err != nil {
		return 0, fail(err)
	}
	err = b.Finish(prover.Signed, func(digest string) ([]byte, []byte, error) {
		e := p.by()
		e.Outcome, e.Object, e.IntentSeq = audit.OK, digest, seq
		if bound, err = p.audit.Append(ctx, e); err != nil {
			return nil, nil, err
		}
		_, line, err := p.audit.Entry(ctx, bound)
		if err != nil {
			return nil, nil, err
		}
		proof, err := p.audit.Published().Prove(ctx, bound)
		return line, proof, err
	})
	return bound, err
}

// packed is an entry on its way into a pack.
type packed struct {
	seq            int64
	line, readable []byte
}

// entries packs what the filters select, each entry once, up to the checkpoint of the proofs.
func (p *packing) entries(b *pack.Builder, prover audit.Prover) error {
	ctx, size := p.cmd.Context(), prover.Checkpoint.Size
	b.Manifest.Log = pack.Log{Origin: prover.Checkpoint.Origin, Size: size}
	var err error
	if b.Manifest.Log.Oldest, _, err = p.begins(ctx); err != nil {
		return err
	}
	var all []packed
	for _, f := range p.filters {
		f.Before = size + 1
		if err := p.audit.Published().Records(ctx, f, func(line []byte, e audit.Entry) error {
			if len(all) > pack.Bounds.Entries {
				return nil // the builder says what to do
			}
			readable, err := e.MarshalJSON()
			all = append(all, packed{e.Seq, line, readable})
			return err
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b packed) int { return cmp.Compare(a.seq, b.seq) })
	all = slices.CompactFunc(all, func(a, b packed) bool { return a.seq == b.seq })
	for _, e := range all {
		hashes, err := prover.Prove(e.seq)
		if err == nil {
			err = b.Add(pack.Entry{Record: e.line, Readable: e.readable, Hashes: hashes})
		}
		if err != nil {
			return err
		}
	}
	if p.about == "period" && !b.Manifest.Entries.Whole && b.Manifest.Entries.Count > 0 {
		b.Manifest.Missing = append(b.Manifest.Missing, "entries between the first and the last: the clock went back within the time, or the log is damaged; `sfmcp-proxy audit verify` says which")
	}
	return nil
}

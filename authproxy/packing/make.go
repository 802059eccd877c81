package packing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/reports"
)

// PlaceError is that a pack cannot be where it was asked for; nothing was done.
type PlaceError struct{ Err error }

// Error says why.
func (e *PlaceError) Error() string { return e.Err.Error() }

// Unwrap is why.
func (e *PlaceError) Unwrap() error { return e.Err }

// Made is a pack that was made.
type Made struct {
	Manifest pack.Manifest
	Bound    int64 // the entry that holds the SHA-256 of the manifest
}

// packing makes one pack.
type packing struct {
	*Maker
	*plan
	ctx     context.Context // of the one act that this is
	by      approval.Decider
	most    int // entries
	builder *pack.Builder
}

// Make makes a pack at a path that is new, as [pack.Create] says, for whoever asks.
func (m *Maker) Make(ctx context.Context, asked Asked, by approval.Decider, path string) (*Made, error) {
	return m.make(ctx, asked, by, path, pack.Bounds.Entries)
}

func (m *Maker) make(ctx context.Context, asked Asked, by approval.Decider, path string, most int) (*Made, error) {
	of, err := m.plan(ctx, asked)
	if err != nil {
		return nil, err
	}
	manifest := pack.Manifest{Created: m.Now().UTC(), By: by.Actor.String(), Version: m.Version, About: of.about, Since: asked.Since.UTC(), Until: asked.Until.UTC()}
	b, err := pack.Create(path, manifest)
	if err != nil {
		return nil, &PlaceError{err}
	}
	p := &packing{Maker: m, plan: of, ctx: ctx, by: by, most: most, builder: b}
	if err := p.readApproval(); err != nil {
		return nil, errors.Join(err, b.Abandon())
	}
	bound, err := p.pack()
	if err != nil {
		return nil, err
	}
	return &Made{b.Manifest, bound}, nil
}

// entry is that of who makes the pack.
func (p *packing) entry() audit.Entry {
	e := p.person
	e.Actor, e.Action = p.by.Actor, audit.EvidenceMake
	return e
}

// readApproval reads what the record of one call is made of; that it was read is one of the entries
// that are packed.
func (p *packing) readApproval() error {
	if p.Approval == "" {
		return nil
	}
	record, err := p.Record(p.ctx, p.by, p.Approval)
	if err != nil {
		return err
	}
	p.person = audit.Entry{Org: record.Org, Subject: record.Subject, Username: record.Username}
	p.files = func(_ *packing, b *pack.Builder) error {
		return b.File("record.json", func(w io.Writer) error { return indented(w, record) })
	}
	return nil
}

// pack writes the pack, records that before and after, and returns the number of the entry that
// binds it.
func (p *packing) pack() (bound int64, err error) {
	b := p.builder
	intent := p.entry()
	intent.Outcome, intent.Object = audit.Intent, p.about
	if p.human != nil { // whom it is about stands where it can be erased
		if intent.Object = "a person"; len(p.human.Users) == 0 && len(p.human.Company) > 0 {
			intent.Object = p.human.Company[0].String()
		}
	}
	seq, err := p.Audit.Append(p.ctx, intent)
	if err != nil {
		return 0, errors.Join(err, b.Abandon())
	}
	prover, err := p.Audit.Published().Prover(p.ctx)
	if err == nil {
		err = p.entries(prover)
	}
	if err == nil && p.files != nil {
		err = p.files(p, b)
	}
	if err == nil {
		err = b.Finish(prover.Signed, func(digest string) (line, proof []byte, err error) {
			bound, line, proof, err = p.bind(seq, digest)
			return line, proof, err
		})
	}
	if err != nil && bound == 0 {
		failed := intent
		failed.Outcome, failed.Reason, failed.IntentSeq = audit.Failed, err.Error(), seq
		p.Audit.Record(p.ctx, failed)
	}
	if err != nil {
		return 0, errors.Join(err, b.Abandon())
	}
	return bound, nil
}

// bind records that there is a manifest, and returns that entry with its proof.
func (p *packing) bind(intent int64, digest string) (bound int64, line, proof []byte, err error) {
	e := p.entry()
	e.Outcome, e.Object, e.IntentSeq = audit.OK, digest, intent
	if bound, err = p.Audit.Append(p.ctx, e); err != nil {
		return 0, nil, nil, err
	}
	if _, line, err = p.Audit.Entry(p.ctx, bound); err != nil {
		return bound, nil, nil, err
	}
	proof, err = p.Audit.Published().Prove(p.ctx, bound)
	return bound, line, proof, err
}

// packed is an entry on its way into a pack.
type packed struct {
	seq            int64
	lost           bool // what it says about a person cannot be read, and nobody was erased
	line, readable []byte
}

// entries packs what the filters select, each entry once, up to the checkpoint of the proofs.
func (p *packing) entries(prover audit.Prover) error {
	manifest := &p.builder.Manifest
	manifest.Log = pack.Log{Origin: prover.Checkpoint.Origin, Size: prover.Checkpoint.Size}
	var err error
	var lost, firstLost int64
	if manifest.Log.Oldest, _, err = p.Audit.Published().Oldest(p.ctx); err != nil {
		return err
	}
	if err := p.selected(prover.Checkpoint.Size, func(e packed) error {
		if manifest.Entries.Count >= int64(p.most) {
			return tooMany(p.most)
		}
		if e.lost {
			lost, firstLost = lost+1, cmp.Or(firstLost, e.seq)
		}
		hashes, err := prover.Prove(e.seq)
		if err != nil {
			return err
		}
		return p.builder.Add(pack.Entry{Record: e.line, Readable: e.readable, Hashes: hashes})
	}); err != nil {
		return err
	}
	if lost > 0 {
		manifest.Missing = append(manifest.Missing, fmt.Sprintf("what %d entries, first entry %d, say about people: the database lacks the keys, and did not lose them by an erasure; `sfmcp-proxy audit verify` says more", lost, firstLost))
	}
	if p.about == aboutPeriod && !manifest.Entries.Whole && manifest.Entries.Count > 0 {
		manifest.Missing = append(manifest.Missing, "entries between the first and the last: the clock went back within the time, or the log is damaged; `sfmcp-proxy audit verify` says which")
	}
	return nil
}

// tooMany says what to do where a pack would have more entries than it may.
func tooMany(most int) error {
	if most == pack.Bounds.Entries {
		return fmt.Errorf("more than %d entries: choose a shorter time, or hand over the files of the log, which `sfmcp-proxy audit verify --log` checks", most)
	}
	return &oversight.InputError{Text: fmt.Sprintf("more than %d entries: choose a shorter time, or have it made at the command line, where `sfmcp-proxy evidence` packs up to %d", most, pack.Bounds.Entries)}
}

// selected calls f with what the filters select, in rising order. One filter has its entries in
// that order; of several they are put in order here, within the bound.
func (p *packing) selected(size int64, f func(packed) error) error {
	var all []packed
	for _, filter := range p.filters {
		filter.Before = size + 1
		if err := p.Audit.Published().Records(p.ctx, filter, func(line []byte, e audit.Entry) error {
			readable, err := e.MarshalJSON()
			switch one := (packed{e.Seq, e.Personal == audit.KeyMissing, line, readable}); {
			case err != nil:
				return err
			case len(p.filters) == 1:
				return f(one)
			case len(all) >= p.most:
				return tooMany(p.most)
			default:
				all = append(all, one)
				return nil
			}
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b packed) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range slices.CompactFunc(all, func(a, b packed) bool { return a.seq == b.seq }) {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// packedPerson is what person.json says: who the human is whom the pack is about.
type packedPerson struct {
	Asked   string            `json:"asked"` // as it was asked
	Users   []packedUser      `json:"users"`
	Company []packedColleague `json:"company"`
}

// packedUser is a Salesforce user; Org is missing where the database does not know them.
type packedUser struct {
	Org      string `json:"org,omitempty"`
	Subject  string `json:"subject"`
	Username string `json:"username,omitempty"`
}

// packedColleague is a person of the company.
type packedColleague struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
}

// packedPerson is who the human is.
func (p *packing) packedPerson() packedPerson {
	who := packedPerson{p.User, []packedUser{}, []packedColleague{}}
	for _, subject := range p.human.Subjects {
		known := false
		for _, u := range p.human.Users {
			if u.Subject == subject {
				known = true
				who.Users = append(who.Users, packedUser{u.Org, u.Subject, u.Username})
			}
		}
		if !known {
			who.Users = append(who.Users, packedUser{Subject: subject})
		}
	}
	for _, a := range p.human.People {
		who.Company = append(who.Company, packedColleague{a.Issuer, a.Subject, a.Name, a.Email})
	}
	return who
}

// userFiles are who a human is, and what the database has of the users who they are.
func (p *packing) userFiles(b *pack.Builder) error {
	b.Manifest.Missing = append(b.Manifest.Missing, p.human.Unsure...)
	return errors.Join(
		b.File("person.json", func(w io.Writer) error { return indented(w, p.packedPerson()) }),
		b.File("connections.json", func(w io.Writer) error { return p.Connections(p.ctx, p.human.Users, w) }),
		b.File("approvals.json", func(w io.Writer) error { return p.Waited(p.ctx, p.human.Users, w) }))
}

// accessFiles say who had access from when to when: from the whole log, because what ends within
// the time may have begun before it.
func (p *packing) accessFiles(b *pack.Builder) error {
	var all []audit.Entry
	for _, f := range p.history {
		if err := p.Audit.List(p.ctx, f, func(e audit.Entry) error { all = append(all, e); return nil }); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b audit.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	var h reports.AccessHistory
	for _, e := range all {
		h.Add(e)
	}
	rows := h.Within(p.Since, p.Until)
	return errors.Join(b.File("access.json", func(w io.Writer) error { return indented(w, rows) }),
		b.File("access.csv", func(w io.Writer) error { return reports.WriteAccessCSV(w, rows) }))
}

// changeFiles are the entries as a table.
func (p *packing) changeFiles(b *pack.Builder) error {
	rows := []reports.Event{}
	for _, f := range p.filters {
		if err := p.Audit.List(p.ctx, f, func(e audit.Entry) error { rows = append(rows, reports.EventOf(e)); return nil }); err != nil {
			return err
		}
	}
	slices.SortFunc(rows, func(a, b reports.Event) int { return cmp.Compare(a.Entry, b.Entry) })
	return errors.Join(b.File("changes.json", func(w io.Writer) error { return indented(w, rows) }),
		b.File("changes.csv", func(w io.Writer) error { return reports.WriteEventsCSV(w, rows) }))
}

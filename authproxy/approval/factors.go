package approval

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// Decision is that one person agreed to a call. It counts for one factor.
type Decision struct {
	By    actor.Actor
	Org   string // of a Salesforce user
	Human string // the person, over all ways to sign in
	// Factor is the role that the request asks for, for which this counts; empty: the requester.
	Factor string
	// Role is that by which the person may: Factor, or the one that the request is escalated to.
	Role string
	At   time.Time // set by [Store.Approve]
	// AuthTime and ACR are those of [Decider].
	AuthTime time.Time
	ACR      string
	// Shown is what they saw of the record.
	Shown Shown
}

// Factor is one of what must be met for a request, all of them.
type Factor struct {
	Role   string // empty: the requester
	Quorum int    // how many must agree
	By     []Decision
}

// Met reports whether enough people agreed.
func (f Factor) Met() bool { return len(f.By) >= f.Quorum }

// Factors are what the request asks for, with who agreed.
func (r *Request) Factors() []Factor {
	asked := r.Confirmation.Approvers.Factors()
	factors := make([]Factor, len(asked))
	for i, f := range asked {
		factors[i] = Factor{Role: f.Role, Quorum: f.Quorum}
	}
	if r.OfRequester() {
		factors = []Factor{{Quorum: 1}}
	}
	for i := range factors {
		for _, d := range r.Decisions {
			if d.Factor == factors[i].Role {
				factors[i].By = append(factors[i].By, d)
			}
		}
	}
	return factors
}

// Missing are the factors that are not met, with how many more must agree as their quorum.
func (r *Request) Missing() (missing []policy.Factor) {
	for _, f := range r.Factors() {
		if !f.Met() {
			missing = append(missing, policy.Factor{Role: f.Role, Quorum: f.Quorum - len(f.By)})
		}
	}
	return missing
}

// EscalatedTo is the role whose holders may agree in the place of any other at that moment; ""
// if the request is not escalated.
func (r *Request) EscalatedTo(now time.Time) string {
	if e := r.Confirmation.Escalate; e.Role() != "" && !now.Before(r.CreatedAt.Add(e.After)) {
		return e.Role()
	}
	return ""
}

// Groups reports whether the request may be decided together with others of its connection.
func (r *Request) Groups() bool {
	return r.Confirmation.Group && policy.Groups(policy.Class(r.Class))
}

// WhoDecides says in words who must agree: "2 people with the role security".
func (r *Request) WhoDecides() string { return inWords(r.Confirmation.Approvers.Factors()) }

// WhoIsMissing says in words who must still agree.
func (r *Request) WhoIsMissing() string { return inWords(r.Missing()) }

func inWords(factors []policy.Factor) string {
	var parts []string
	for _, f := range factors {
		switch {
		case f.Role == "":
			parts = append(parts, "the person who asked")
		case f.Quorum > 1:
			parts = append(parts, fmt.Sprintf("%d people with the role %s", f.Quorum, f.Role))
		default:
			parts = append(parts, "a person with the role "+f.Role)
		}
	}
	if parts == nil {
		return "the person who asked"
	}
	return strings.Join(parts, " and ")
}

// Has reports whether that person agreed before, as [Among] knows people.
func (r *Request) Has(ctx context.Context, known People, human string) (bool, error) {
	agreed := make([]string, len(r.Decisions))
	for i, d := range r.Decisions {
		agreed[i] = d.Human
	}
	return Among(ctx, known, human, agreed...)
}

// lacks reports whether somebody is missing for that factor.
func (r *Request) lacks(factor string) bool {
	return slices.ContainsFunc(r.Missing(), func(f policy.Factor) bool { return f.Role == factor })
}

// covered are the columns of [db.ApprovalDecisions].
func (d *Decision) covered(request string) []any {
	return []any{request, d.Human, d.Factor, d.Role, string(d.By.Kind), d.By.ID, d.By.As, d.Org, db.Millis(d.At), db.Millis(d.AuthTime), d.ACR, string(d.Shown)}
}

// digestOf names decisions by their MACs: "" for none. A row that is taken away or put back
// makes another digest, which a request says in what is authentic of it.
func digestOf(macs []string) string {
	if len(macs) == 0 {
		return ""
	}
	h := sha256.New()
	for _, mac := range slices.Sorted(slices.Values(macs)) {
		_, _ = io.WriteString(h, mac+"\n") // which cannot fail
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

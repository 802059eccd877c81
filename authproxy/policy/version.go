package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Version identifies what the policy decides: equal policies have equal versions,
// whatever the order within a list, and any other change gives another version.
// It is 32 hexadecimal digits. The name is part of it, comments in the file are not.
//
// It is made of a text that depends on nothing but what the policy says, so that the same policy has the same
// version in every version of the program: approvals and replays are bound to it. Each text in it has its length
// before it, "5:allow", each list the number of its items, and a list whose order means nothing is sorted. In this order:
// "policy 2", name, mode, hosted server, number of rules; of each rule its effect and, in braces, each key
// that it has by its name in policy files, in the order of the table; of each budget "budget" and what it says;
// of each calendar that a rule names "calendar" and what it says; "taint" and the time, where a rule asks for it; of each
// declared tool, by name, "declare" and what is declared of it, with what its name says ([reach.RESTTools]).
func (p *Policy) Version() string {
	if p.version != "" {
		return p.version
	}
	mode := p.Mode
	if mode == "" {
		mode = Enforce
	}
	b := make([]byte, 0, 4096)
	b = appendStrings(b, "policy 2", p.Name, string(mode), p.catalogue.Hosted, strconv.Itoa(len(p.Rules)))
	for i := range p.Rules {
		r := &p.Rules[i]
		b = append(appendStrings(b, string(r.Effect)), '{')
		for j := range keys {
			k := &keys[j]
			if !k.set(r) {
				continue
			}
			if values := k.values(r); k.implied == "" || len(values) != 1 || values[0] != k.implied {
				b = appendSet(appendStrings(b, k.name), values)
			}
		}
		b = append(b, '}')
	}
	b = p.appendCalendars(p.appendBudgets(b))
	if p.AsksOutside() {
		b = appendStrings(b, "taint", p.TaintTime().String())
	}
	b = appendDeclared(b, p.catalogue.Declared)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendDeclared appends what is declared of tools, for the version. Of two about one tool the first counts.
func appendDeclared(b []byte, declared []reach.Declaration) []byte {
	byTool := func(a, b reach.Declaration) int { return strings.Compare(a.Tool, b.Tool) }
	for _, d := range slices.SortedStableFunc(slices.Values(declared), byTool) {
		d = d.Complete()
		b = appendStrings(b, "declare", d.Tool, string(d.Class), d.SOQL, d.SOSL, d.Object, d.ID, d.Record, strconv.FormatBool(d.NoRecords))
		b = appendSet(b, d.Others)
	}
	return b
}

// appendSet appends a list in sorted order.
func appendSet(b []byte, list []string) []byte {
	if !slices.IsSorted(list) {
		list = slices.Sorted(slices.Values(list))
	}
	b = strconv.AppendInt(b, int64(len(list)), 10)
	return appendStrings(append(b, ':'), list...)
}

// appendStrings appends strings with their lengths, so that no two sequences of
// them look alike.
func appendStrings(b []byte, parts ...string) []byte {
	for _, part := range parts {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, ':')
		b = append(b, part...)
	}
	return b
}

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// Version identifies what the policy decides: equal policies have equal versions,
// whatever the order within a list, and any other change gives another version.
// It is 32 hexadecimal digits. The name is part of it, comments in the file are not.
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
	for _, d := range p.catalogue.Declared {
		b = appendStrings(b, fmt.Sprintf("%#v", d))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
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

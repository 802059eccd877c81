package oversight

import (
	"testing"

	"sfmcp-proxy/authproxy/audit"
)

// The most frequent comes first, with how many people it concerns, and of a person which reason most
// of their denials have.
func TestDenialsAreTallied(t *testing.T) {
	t.Parallel()
	reasons, persons := map[[2]string]*Tally{}, map[[2]string]*Tally{}
	for i, e := range []audit.Entry{
		{Subject: "a", Rule: "1", Reason: "no"}, {Subject: "a", Rule: "1", Reason: "no"}, {Subject: "a", Rule: "2", Reason: "later"}, {Subject: "b", Rule: "1", Reason: "no"},
	} {
		e.Seq = int64(i + 1)
		addTo(reasons, [2]string{e.Rule, e.Reason}, [2]string{e.Org, e.Subject}, e)
		addTo(persons, [2]string{e.Org, e.Subject}, [2]string{e.Rule, e.Reason}, e)
	}
	if all := most(reasons); len(all) != 2 || all[0].N != 3 || all[0].Others != 2 || all[0].Last.Seq != 4 || all[1].Others != 1 {
		t.Errorf("reasons: %+v", all)
	}
	if all := most(persons); len(all) != 2 || all[0].N != 3 || all[0].Others != 2 || all[0].Times != 2 || all[0].Common.Seq != 2 || all[0].Last.Seq != 3 || all[1].Common.Seq != 4 {
		t.Errorf("persons: %+v", all)
	}
}

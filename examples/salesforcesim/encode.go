package salesforcesim

import "sfmcp-proxy/examples/salesforcesim/records"

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	Name  string
	Value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	ordered := make(records.Object, len(o))
	for i, m := range o {
		ordered[i] = records.Member(m)
	}
	return ordered.MarshalJSON()
}

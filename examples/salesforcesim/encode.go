package salesforcesim

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// object is a JSON object that keeps the order of its members: a query answers with the
// fields in the order of its SELECT list, after "attributes".
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encodeJSON(m.name))
		b.WriteByte(':')
		b.Write(encodeJSON(m.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// double is a number that is written with a fraction even when it has none. Salesforce
// writes the totalSize of a query like this: 3.0.
type double float64

// MarshalJSON writes 3 as 3.0.
func (d double) MarshalJSON() ([]byte, error) {
	if f := float64(d); f != math.Trunc(f) {
		return strconv.AppendFloat(nil, f, 'f', -1, 64), nil
	}
	return strconv.AppendFloat(nil, float64(d), 'f', 1, 64), nil
}

// encodeJSON encodes v without escaping <, > and &, as Salesforce does. Its arguments
// are made by this package from values that JSON can hold, so a failure is a mistake in
// the program.
func encodeJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("salesforcesim: encoding: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

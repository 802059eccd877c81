package records

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Object is a JSON object that keeps the order of its members: a query answers with the
// fields in the order of its SELECT list, after "attributes".
type Object []Member

// Member is one member of an Object.
type Member struct {
	Name  string
	Value any
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(Encode(m.Name))
		b.WriteByte(':')
		b.Write(Encode(m.Value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Double is a number that is written with a fraction even when it has none. Salesforce
// writes the totalSize of a query like this: 3.0.
type Double float64

// MarshalJSON writes 3 as 3.0.
func (d Double) MarshalJSON() ([]byte, error) {
	if f := float64(d); f != math.Trunc(f) {
		return strconv.AppendFloat(nil, f, 'f', -1, 64), nil
	}
	return strconv.AppendFloat(nil, float64(d), 'f', 1, 64), nil
}

// Encode encodes v without escaping <, > and &, as Salesforce does. Its arguments are
// made by the simulator from values that JSON can hold, so a failure is a mistake in the
// program, and it panics.
func Encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("salesforcesim: encoding: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

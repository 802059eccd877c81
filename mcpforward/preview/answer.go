package preview

import (
	"encoding/json"
	"errors"
	"strings"
)

// maxAnswer bounds the text of an answer that is looked at, in bytes: fields of one record.
const maxAnswer = 1 << 20

// ErrAnswer says that an answer has not the shape of that of a query, or is too long.
var ErrAnswer = errors.New("the answer to the query cannot be read")

// ErrRefused says that Salesforce did not answer the query.
var ErrRefused = errors.New("salesforce refused the query")

// Record is one record of an answer: values as Salesforce spelled them, by the names of their
// fields in lower case.
type Record map[string]json.RawMessage

// Field is the value of a field in any case; nil: the answer does not have it.
func (r Record) Field(name string) json.RawMessage { return r[strings.ToLower(name)] }

// Text is the value of a field that is a text, "" if it is none.
func (r Record) Text(name string) (text string) {
	_ = json.Unmarshal(r.Field(name), &text)
	return text
}

// Read takes the records out of the result of soqlQuery.
func Read(result []byte) ([]Record, error) {
	var r struct {
		IsError bool `json:"isError"`
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	switch {
	case json.Unmarshal(result, &r) != nil || len(r.Content) == 0 || len(r.Content[0].Text) > maxAnswer:
		return nil, ErrAnswer
	case r.IsError:
		return nil, ErrRefused
	}
	var answer struct {
		Records []map[string]json.RawMessage `json:"records"`
	}
	if json.Unmarshal([]byte(r.Content[0].Text), &answer) != nil || answer.Records == nil {
		return nil, ErrAnswer
	}
	var all []Record
	for _, members := range answer.Records {
		record := Record{}
		for name, value := range members {
			record[strings.ToLower(name)] = value
		}
		all = append(all, record)
	}
	return all, nil
}

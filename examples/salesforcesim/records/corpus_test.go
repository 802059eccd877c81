package records

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// corpusRow is one statement of testdata/queries.jsonl, a public corpus by which policies
// on SOQL and SOSL are judged too.
type corpusRow struct {
	Q          string   `json:"q"`
	Objects    []string `json:"objects"` // "?" stands for what the text does not tell
	Valid      bool     `json:"valid"`
	SideEffect bool     `json:"write_side_effect"`
}

func corpus(t *testing.T) []corpusRow {
	t.Helper()
	file, err := os.Open("testdata/queries.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []corpusRow
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var row corpusRow
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestU17Corpus: each statement that Salesforce takes is answered, each that it does not take
// is refused as malformed.
func TestU17Corpus(t *testing.T) {
	t.Parallel()
	c := readAs(t, manager())
	valid, answered := 0, 0
	for _, row := range corpus(t) {
		text, refused := c.do(func(v *View) (Object, *Error) {
			if strings.HasPrefix(strings.ToUpper(row.Q), "FIND") {
				return v.Search(row.Q)
			}
			return v.Query(row.Q)
		})
		switch {
		case row.Valid && refused != nil:
			t.Errorf("refused: %s\n%v", row.Q, refused)
		case !row.Valid && refused == nil:
			t.Errorf("answered: %s\n%.200s", row.Q, text)
		case !row.Valid && refused.Code != "MALFORMED_QUERY" && refused.Code != "MALFORMED_SEARCH":
			t.Errorf("%s is refused with %s, want it to be malformed", row.Q, refused.Code)
		}
		if row.Valid && !row.SideEffect {
			if valid++; refused == nil {
				answered++
			}
		}
	}
	t.Logf("%d of %d valid statements without a side effect are answered", answered, valid)
}

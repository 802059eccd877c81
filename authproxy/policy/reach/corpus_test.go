package reach

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The corpus has queries as models and people write them, with the objects that each reaches
// ("?" for what cannot be determined), whether it is valid, and whether it leaves traces.
func TestCorpusOfQueries(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := 0
	for d := jsontext.NewDecoder(file); d.PeekKind() == '{'; rows++ {
		var row struct {
			Q       string   `json:"q"`
			Objects []string `json:"objects"`
			Valid   bool     `json:"valid"`
			Traces  bool     `json:"write_side_effect"`
		}
		if err := json.UnmarshalDecode(d, &row); err != nil {
			t.Fatal(err)
		}
		read := readSOQL
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(row.Q)), "FIND") {
			read = readSOSL
		}
		v, refused := read(row.Q)
		if (refused == nil) != row.Valid {
			t.Errorf("%s\nvalid: %v, refused: %v", row.Q, row.Valid, refused)
		}
		if refused != nil || !row.Valid {
			continue
		}
		got := v.ObjectNames()
		for _, list := range [][]string{got, row.Objects} {
			for i := range list {
				list[i] = strings.ToLower(list[i])
			}
			slices.Sort(list)
		}
		if !slices.Equal(got, row.Objects) {
			t.Errorf("%s\nreaches %v, want %v", row.Q, got, row.Objects)
		}
		if (v.Class == SideEffect) != row.Traces {
			t.Errorf("%s\nis %s, leaves traces: %v", row.Q, v.Class, row.Traces)
		}
	}
	if rows < 380 {
		t.Errorf("only %d queries", rows)
	}
}

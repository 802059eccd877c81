package salesforcesim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What servers list can be changed while they run, over the control API, and is what it was
// after a reset.
func TestDefinitionsChange(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{
		`{"changes":[{"name":"soqlQuery","merge":{"description":"Other."}},{"name":"added","merge":{"inputSchema":{"type":"object"}}}],"page":3}`: true,
		`{"changes":[{"name":""}]}`:                    false,
		`{"changes":[{"name":"x","list":"sideways"}]}`: false,
		`{"page":-1}`: false,
		`{"x":1}`:     false,
	} {
		d := Definitions{}
		s, err := New(Config{BaseURL: "http://x"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPut, "/definitions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ControlHandler().ServeHTTP(w, r)
		if got := w.Code == http.StatusOK; got != ok {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		if d = s.changedDefinitions(); ok != (len(d.Changes) == 2) {
			t.Errorf("%s: %+v", body, d)
		}
		tools, _ := listTools("platform/sobject-all", listOptions{})
		changed := d.changed("platform/sobject-all", "u", "tools", tools)
		if ok && (len(changed) != len(tools)+1 || !strings.Contains(string(changed[len(tools)]), `"added"`)) {
			t.Errorf("%s", changed)
		}
		s.Reset()
		if d = s.changedDefinitions(); len(d.Changes) != 0 {
			t.Errorf("after a reset: %+v", d)
		}
	}
}

package ui

import (
	"io/fs"
	"regexp"
	"strconv"
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// A field for a reason takes as many characters as whoever reads it, and no more.
func TestFieldsOfReasonsAreAsLongAsReasons(t *testing.T) {
	t.Parallel()
	_, decision := actor.ForDecision.Bounds()
	_, denial := actor.ForDenial.Bounds()
	want := map[string]string{"console.html": "{{.MostReason}}", "approval.html": strconv.Itoa(denial), "together.html": strconv.Itoa(denial), "afterwrite.html": strconv.Itoa(decision)}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`<(?:input|textarea)[^>]* name="reason"[^>]*>`)
	length := regexp.MustCompile(`maxlength="([^"]*)"`)
	for _, name := range files {
		text, err := fs.ReadFile(templateFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		name = name[len("templates/"):]
		for _, found := range field.FindAllString(string(text), -1) {
			if got := length.FindStringSubmatch(found); got == nil || got[1] != want[name] {
				t.Errorf("%s: %s, want maxlength %q", name, found, want[name])
			}
			want[name+" was seen"] = ""
		}
	}
	if len(want) != 8 {
		t.Errorf("not every field was found: %v", want)
	}
	if (&Act{}).MostReason() != 200 || (&Act{Decision: true}).MostReason() != decision {
		t.Error("an act's reason is of another length than what it is for")
	}
}

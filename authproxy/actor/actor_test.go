package actor

import (
	"encoding/json"
	"strings"
	"testing"
)

// typed are names that somebody could type to be taken for somebody else.
var typed = []string{
	"alice", "Alice Weiß", "أحمد محمد", "李小龍", "user 0055g00000ABCDEAA0", "proxy", "client chatgpt", "operator:root", "you", "by you",
	`x" as "user 005A`, `bob (operator:root)`, "two\nlines", "\x1b[31mred", "\u202etxet", "nul\x00", `back\slash`, `"`, " as ", strings.Repeat("n", 5000),
}

func TestTextIsReadBack(t *testing.T) {
	t.Parallel()
	actors := []Actor{
		Proxy, Browser, Stranger, User("0055g00000ABCDEAA0"), Client("chatgpt"), Client("https://client.example/oauth (beta)"), APIToken("siem", "apt_k3v"),
		Operator("", ""), Operator("alice", ""), Operator(`CORP\Alice As "Bob`, ""),
	}
	for _, name := range typed {
		actors = append(actors, Operator("", name), Operator("alice", name))
	}
	seen := map[string]bool{}
	for _, a := range actors {
		text := a.String()
		if got := Parse(text); got != a || !a.Known() {
			t.Errorf("%#v is written %s and read %#v", a, text, got)
		}
		if seen[text] {
			t.Errorf("two actors are written %s", text)
		}
		seen[text] = true
		var got struct{ Actor Actor }
		if b, err := json.Marshal(struct{ Actor Actor }{a}); err != nil || json.Unmarshal(b, &got) != nil || got.Actor != a {
			t.Errorf("%#v goes through JSON as %s and comes back as %#v (%v)", a, b, got.Actor, err)
		}
	}
}

// Whatever an operator types for a person, the text says operator first, and holds nothing
// that a terminal acts on.
func TestNobodyIsMistakenForWhoWasTyped(t *testing.T) {
	t.Parallel()
	for _, name := range typed {
		text := Operator("alice", name).String()
		if !strings.HasPrefix(text, `operator:alice as "`) || strings.ContainsAny(text, "\x00\x1b\n\u202e") {
			t.Errorf("%q is written %q", name, text)
		}
		for _, stored := range []string{text, name + " (operator:alice)"} { // now, and by earlier versions
			if a := Parse(stored); !a.IsOperator() || a.IsUser() || a.ID != "alice" || a.As != name {
				t.Errorf("%q is read as %#v", stored, a)
			}
		}
	}
}

func TestTextsOfNoKnownForm(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "005A", "user", "user ", "client ", "proxy 1", "browser ", "operator:", "role security"} {
		if a := Parse(text); a.Known() || a.Kind != "" || a.String() != text {
			t.Errorf("%q is read as %#v", text, a)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"Alice Weiß": true, "أحمد": true, "می\u200cخواهم": true, "李小龍": true, "user 005A": true, strings.Repeat("ü", maxName): true,
		"": false, " \t": false, "a\x00": false, "two\nlines": false, "\x1b[31m": false, "\u202eabc": false, "a\u2028b": false, "\xff": false, strings.Repeat("n", maxName+1): false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`operator:alice as "user 005A"`)
	f.Add("user 005A (operator:alice)")
	f.Fuzz(func(t *testing.T, text string) {
		a := Parse(text)
		if a.Known() == (a.Kind == "") {
			t.Fatalf("%q is read as %#v", text, a)
		}
		if a.Kind == "" && a.String() != text {
			t.Errorf("%q is written %q", text, a.String())
		}
		if a.IsUser() && text != "user "+a.ID {
			t.Errorf("%q is read as a user", text)
		}
	})
}

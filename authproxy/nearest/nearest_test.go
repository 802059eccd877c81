package nearest

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 2}, {"kitten", "sitting", 3},
		{strings.Repeat("a", 101), strings.Repeat("a", 101), 100},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%.20q %.20q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	names := []string{"User", "UserRole", "Case", "Opportunity", "soqlQuery"}
	for mistyped, want := range map[string]string{
		"Userr": "User", "usr": "User", "Uesr": "User", "USER": "User", "UserRoles": "UserRole", "Oportunnity": "Opportunity",
		"soqlquery": "soqlQuery", "Cas": "Case", "X": "", "": "", "Account": "", "Usage": "",
	} {
		if got := Name(mistyped, names); got != want {
			t.Errorf("%q: %q, want %q", mistyped, got, want)
		}
	}
	if got := Question("Userr", names); got != `, did you mean "User"?` {
		t.Error(got)
	}
	if got := Question("Invoice", names); got != "" {
		t.Error(got)
	}
}

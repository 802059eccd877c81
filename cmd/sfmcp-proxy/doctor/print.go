package doctor

import (
	"encoding/json"
	"fmt"
	"io"

	"sfmcp-proxy/authproxy/ui"
)

// Printer prints findings to w as they come: for people, or one JSON object a line.
func Printer(w io.Writer, asJSON bool) func(Finding) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(f Finding) error { return enc.Encode(f) }
	}
	return func(f Finding) error {
		about := "org " + f.Org
		if f.Org == "" {
			about = "database"
		}
		if f.Check == signInCheck {
			about = "company sign-in"
		}
		if f.Server != "" {
			about += ", server " + f.Server
		}
		mark := string(f.Status)
		if f.Status == Fail {
			mark = "FAIL"
		}
		_, err := fmt.Fprintf(w, "%-4s  %s: %s\n", mark, about, ui.Printable(f.Found))
		if f.Fix != "" && err == nil {
			_, err = fmt.Fprintf(w, "      %s\n", ui.Printable(f.Fix))
		}
		return err
	}
}

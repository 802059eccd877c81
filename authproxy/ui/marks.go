package ui

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// ReadingTime is how long a page must have been in front of a person before what they decide on
// it counts: no one reads faster, but a double click meant for the page before, or one that
// another site has prepared, comes within it.
const ReadingTime = time.Second

// Marks makes and reads the mark of a form: its hidden field "shown", which says when its page was
// first shown and what that showed, and which nobody else can make.
type Marks struct {
	Ring *seal.KeyRing
	Now  func() time.Time // nil: time.Now
	// Least is how long a page is shown before it is decided; 0: [ReadingTime]; negative: any time.
	Least time.Duration
}

// Shown is what a mark says. A mark of one browser or page is none of another.
type Shown struct {
	Browser string // a form token, or another secret of the browser that nobody else has
	Page    string // id of what is decided
	At      time.Time
	What    string // what the page showed beside what its id names; a word or empty
}

const markPurpose = "mark of a form"

func (s Shown) fields() []string {
	return []string{s.Browser, s.Page, strconv.FormatInt(db.Millis(s.At), 10), s.What}
}

// Mark is the mark of a form.
func (m Marks) Mark(s Shown) string {
	fields := s.fields()
	return fields[2] + "." + s.What + "." + m.Ring.MAC(markPurpose, fields...)
}

// Read returns what a mark says if it is that of a page with this id, shown to this browser.
func (m Marks) Read(mark, browser, page string) (Shown, bool) {
	parts := strings.SplitN(mark, ".", 3)
	if len(parts) != 3 {
		return Shown{}, false
	}
	at, err := strconv.ParseInt(parts[0], 10, 64)
	s := Shown{Browser: browser, Page: page, At: db.Time(at), What: parts[1]}
	if err != nil || m.Ring.CheckMAC(parts[2], markPurpose, s.fields()...) != nil {
		return Shown{}, false
	}
	return s, true
}

// TooSoon reports whether r is a person's click in a browser that comes before anybody can have
// read what was shown. Browsers say by Sec-Fetch-User (Fetch Metadata Request Headers 2.4) that a
// person clicked; what does not is a program that read the form, and has no click that was meant
// for another page.
func (m Marks) TooSoon(r *http.Request, s Shown) bool {
	if r.Header.Get("Sec-Fetch-User") != "?1" {
		return false
	}
	least := m.Least
	if least == 0 {
		least = ReadingTime
	}
	now := m.Now
	if now == nil {
		now = time.Now
	}
	return least > 0 && now().Sub(s.At) < least
}

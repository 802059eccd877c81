package ui

import (
	"fmt"
	"strings"
	"time"
)

// Span says a duration in words, in its largest sensible unit, rounded down:
// "15 minutes", "90 days".
func Span(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
		from int64 // smaller counts read better in the next unit
	}{
		{24 * time.Hour, "day", 2}, {time.Hour, "hour", 2}, {time.Minute, "minute", 1},
	} {
		if n := int64(d / unit.size); n >= unit.from {
			return count(n, unit.name)
		}
	}
	return count(max(int64(d/time.Second), 0), "second")
}

func count(n int64, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// Moment says a point in time, and how far it is from now. Pages have no script
// that would know the reader's time zone, so it is UTC. The zero time is "".
func Moment(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	text := t.UTC().Format("2 January 2006, 15:04 UTC")
	switch d := now.Sub(t); {
	case d >= time.Minute:
		return text + " (" + Span(d) + " ago)"
	case d > -time.Minute:
		return text + " (now)"
	default:
		return text + " (in " + Span((-d).Round(time.Minute)) + ")" // as exact as the text: what lasts 15 minutes says so at first
	}
}

// Soon is a time of the same day in few words, "18:12 UTC (in 15 minutes)"; any other as [Moment].
func Soon(t, now time.Time) string {
	text := Moment(t, now)
	if now.Sub(t).Abs() >= 12*time.Hour {
		return text
	}
	return t.UTC().Format("15:04 UTC") + strings.TrimPrefix(text, t.UTC().Format("2 January 2006, 15:04 UTC"))
}

// scopeInWords says what an OAuth scope of Salesforce is for; "" for one that is not
// known here.
func scopeInWords(scope string) string {
	switch scope {
	case "mcp_api":
		return "Use the servers that Salesforce runs for assistants"
	case "refresh_token", "offline_access":
		return "Stay connected without a new login each time"
	case "api":
		return "Read and change data through Salesforce's interfaces"
	case "openid", "id", "profile", "email":
		return "Know who you are"
	case "full":
		return "Do everything that you can do"
	}
	return ""
}

// Capital is text with a capital letter, to begin a sentence. The first letter is ASCII.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

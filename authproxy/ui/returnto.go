package ui

import (
	"net/url"
	"strings"
)

// Home is where a signed-in person lands when nothing else was asked for.
const Home = "/account"

// maxReturnTo bounds, in bytes, the path that is kept through a sign-in.
const maxReturnTo = 2048

// SafeReturnTo returns target if it is a path of this site, otherwise [Home].
// What it returns is put together again from the parsed parts, without a fragment,
// and means the same to every parser: no second slash, backslash, dot segment,
// control character, or percent-encoded form of them.
func SafeReturnTo(target string) string {
	if len(target) > maxReturnTo || !strings.HasPrefix(target, "/") || !printableASCII(target) {
		return Home
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Opaque != "" || u.User != nil || u.Host != "" || !plainPath(u.Path) {
		return Home
	}
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil || strings.ContainsFunc(query, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Home
	}
	path := (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
	if len(path) > maxReturnTo { // characters that were not escaped in target are now
		return Home
	}
	return path
}

// plainPath judges the decoded path. A percent sign left in it was encoded twice,
// and the next decoder would see something else.
func plainPath(path string) bool {
	if !strings.HasPrefix(path, "/") || !printableASCII(path) || strings.ContainsAny(path, `\%:`) {
		return false
	}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' })
}

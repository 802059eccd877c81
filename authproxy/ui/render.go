package ui

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pageTemplates holds the layout, and the parts that several pages show, joined with each
// page's own file, by the name that Page.page reports. They are parsed for the first page: the
// command line shows none, and need not wait for them.
var pageTemplates = sync.OnceValue(func() map[string]*template.Template {
	return parseTemplates("consent", "signin", "message", "landing", "account", "person", "approvals", "approval", "together", "evidence", "connect", "console")
})

// view is what the layout sees; the page's file sees Page.
type view struct {
	Title  string
	Style  string
	Icon   string
	Script string // its path; empty: the page has none
	Viewer *Viewer
	Page   Page

	Stopped Stopped
	Contact contact
	Ask     bool // this page cannot lead on by itself: say whom to ask
}

func parseTemplates(names ...string) map[string]*template.Template {
	parsed := make(map[string]*template.Template, len(names))
	for _, name := range names {
		parsed[name] = template.Must(template.New("layout.html").
			Funcs(template.FuncMap{"visible": Visible, "scope": scopeInWords, "outside": outside, "number": number}).
			ParseFS(templateFiles, "templates/layout.html", "templates/lost.html", "templates/personcard.html", "templates/afterwrite.html", "templates/proposal.html", "templates/argument.html", "templates/"+name+".html"))
	}
	return parsed
}

// Render writes page as HTML with status and every header of [Headers] that does
// not depend on the deployment. When it fails, nothing has been written.
// Beside the page's own content it shows what is stopped, and on an error whom to ask.
func (s Site) Render(ctx context.Context, w http.ResponseWriter, status int, page Page) error {
	h := page.page()
	policy, err := contentPolicy(h.Targets, h.Script != "")
	if err != nil {
		return fmt.Errorf("rendering page %s: %w", h.Template, err)
	}
	stopped := s.stopped(ctx) // which may take time, and needs no turn
	done, ok := s.slot(ctx)
	if !ok {
		refuseRendering(w)
		return nil
	}
	body, err := s.body(stopped, status, page)
	done()
	if err != nil {
		return err
	}
	setPageHeaders(w.Header(), policy, body.Len())
	w.WriteHeader(status)
	if _, err := body.WriteTo(w); err != nil {
		return fmt.Errorf("writing page %s: %w", h.Template, err)
	}
	return nil
}

// body is a page in the layout.
func (s Site) body(stopped Stopped, status int, page Page) (*bytes.Buffer, error) {
	h, body := page.page(), &bytes.Buffer{}
	v := view{Title: h.Title, Style: stylePath, Icon: iconPath, Script: h.Script, Viewer: h.Viewer, Page: page,
		Stopped: stopped, Contact: contact(s.Contact), Ask: status >= http.StatusBadRequest}
	if err := pageTemplates()[h.Template].Execute(body, v); err != nil {
		return nil, fmt.Errorf("rendering page %s: %w", h.Template, err)
	}
	return body, nil
}

func setPageHeaders(h http.Header, policy string, length int) {
	setCommonHeaders(h)
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(length))
}

//go:embed assets/style.css
var styleSheet []byte

//go:embed assets/icon.svg
var icon []byte

//go:embed assets/inbox.js
var inboxScript []byte

//go:embed assets/live.js
var liveScript []byte

var (
	stylePath = assetPath("style", "css", styleSheet)
	iconPath  = assetPath("icon", "svg", icon)
	inboxPath = assetPath("inbox", "js", inboxScript)
	livePath  = assetPath("live", "js", liveScript)
)

// assetPath names an asset after its content, so that it may be cached for ever.
func assetPath(name, ext string, content []byte) string {
	sum := sha256.Sum256(content)
	return "/assets/" + name + "-" + hex.EncodeToString(sum[:8]) + "." + ext
}

// Assets serves /assets/: the style sheet, the icon and the scripts, each under a name that
// holds the hash of its content. Every other path is 404.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setCommonHeaders(w.Header())
		var content []byte
		var kind string
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		case r.URL.Path == stylePath:
			content, kind = styleSheet, "text/css; charset=utf-8"
		case r.URL.Path == inboxPath:
			content, kind = inboxScript, "text/javascript; charset=utf-8"
		case r.URL.Path == livePath:
			content, kind = liveScript, "text/javascript; charset=utf-8"
		case r.URL.Path == iconPath:
			content, kind = icon, "image/svg+xml"
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", emptyPolicy)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content) // the reader is gone: nobody to tell
	})
}

// number is how people count the places of a list.
func number(i int) int { return i + 1 }

// outside is an address that leaves this site, for a link that a person follows by choice.
// Programs have schemes that no list here knows; what a browser would run in our own origin,
// or read from the person's disk, is no link.
func outside(address string) template.URL {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Path == "" || slices.Contains([]string{"", "javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source"}, u.Scheme) {
		return "#"
	}
	return template.URL(address)
}

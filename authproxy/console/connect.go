package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/ui"
)

// guides are the pages that say how to connect an assistant.
type guides struct{ *Console }

// connect tells how to add a server to the assistants that people use. It is public:
// all it says is what a client must know before anybody signs in.
func (c guides) connect(w http.ResponseWriter, r *http.Request) {
	viewer, err := c.visitor(w, r)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	server := c.Access.Server(mux.Vars(r)["server"])
	if server == nil {
		c.render(w, r, http.StatusNotFound, ui.MessagePage{Title: "Not found", Viewer: viewer,
			Text: "There is no server of that name here.", Detail: "Your account page lists the servers that you may use. Check the address, or ask your administrator.",
			Links: []ui.Link{{Text: "Your account", Path: "/account"}}, RequestID: audit.OriginOf(r.Context()).RequestID})
		return
	}
	page := ui.ConnectPage{Viewer: viewer, ServerName: server.Name, ServerTitle: server.Title,
		ServerDescription: server.Description, URL: c.Access.Resource(server.Name)}
	publicURL := c.Access.PublicURL()
	for _, a := range assistants {
		way, client := c.wayOf(a)
		if way != noWay && (!a.cloud || reachable(publicURL)) {
			t := target{publicURL: publicURL, url: page.URL, server: server.Name, title: page.Server(), way: way, client: client}
			page.Guides = append(page.Guides, a.guide(t))
		} else {
			page.Missing = append(page.Missing, c.missing(a, way))
		}
	}
	c.render(w, r, http.StatusOK, page)
}

// wayOf is the simplest way in which the assistant can register, and the client if it is
// [byClient]. One that has a document sends it wherever documents are accepted at all,
// and is refused if its host is not among them: it does not go on to register itself.
func (c guides) wayOf(a assistant) (way, client.Client) {
	switch hasDocument := a.documentHost != ""; {
	case hasDocument && c.Clients.AcceptsDocumentsOf(a.documentHost):
		return byDocument, client.Client{}
	case c.Clients.AcceptsRegistration() && a.registers && !(hasDocument && c.Clients.AcceptsDocuments()):
		return byRegistration, client.Client{}
	}
	// Of the configured ones: nobody has verified those that registered themselves.
	if given, ok := a.clientAmong(c.Clients.UserDefined()); ok {
		return byClient, given
	}
	return noWay, client.Client{}
}

// clientAmong picks the client as which the assistant can connect: of those that one
// of its redirect URIs is registered for, the one that bears its name, or the first.
// (Any loopback client fits any program on the same path; the consent page shows the
// client's name.)
func (a assistant) clientAmong(clients []client.Client) (client.Client, bool) {
	var fitting []client.Client
	for _, c := range clients {
		if slices.ContainsFunc(a.redirects, c.AllowsRedirect) || slices.ContainsFunc(c.RedirectURIs, a.madeUp) {
			fitting = append(fitting, c)
		}
	}
	for _, c := range fitting {
		if strings.Contains(strings.ToLower(c.Name), strings.ToLower(a.name)) {
			return c, true
		}
	}
	if len(fitting) == 0 {
		return client.Client{}, false
	}
	return fitting[0], true
}

// madeUp says whether uri begins with the assistant's prefix and goes on.
func (a assistant) madeUp(uri string) bool {
	return a.prefix != "" && strings.HasPrefix(uri, a.prefix) && len(uri) > len(a.prefix)
}

func (a assistant) guide(t target) ui.Guide {
	g := ui.Guide{Name: a.name, Anchor: a.anchor, Steps: a.steps(t)}
	if a.or != nil {
		g.Or = a.or(t)
	}
	if a.note != nil {
		g.Note = a.note(t)
	}
	return g
}

// missing says what the administrator has to do before the assistant can be connected,
// whose way is w.
func (c guides) missing(a assistant, w way) ui.MissingGuide {
	m := ui.MissingGuide{Name: a.name, Anchor: a.anchor}
	var todo []string
	if publicURL := c.Access.PublicURL(); a.cloud && !reachable(publicURL) {
		todo = append(todo, "give the proxy an https address that "+a.name+" can reach over the internet (public_url, now "+publicURL+")")
	}
	if w == noWay {
		address := "its redirect URI"
		if a.prefix != "" {
			address = "the callback URL that " + a.name + " shows (Create app, Advanced settings)"
		}
		add := "add a client with " + address + " to the configuration, under clients:"
		if a.documentHost != "" && c.Clients.AcceptsDocuments() {
			add = "add " + a.documentHost + " to registration.metadata_documents.allow_hosts, or " + add
		}
		todo = append(todo, add)
		m.Block = a.clientEntry()
	}
	m.Text = "The administrator has to " + strings.Join(todo, ", and to ")
	if w != noWay {
		m.Text += "."
	}
	return m
}

// clientEntry is the assistant's entry under clients: in the configuration.
func (a assistant) clientEntry() string {
	entry := "  - id: " + a.anchor + "\n    name: " + a.name + "\n    redirect_uris:"
	if a.prefix != "" {
		return entry + "\n      - " + a.prefix + "…" // no valid URI: it must be completed
	}
	for _, uri := range slices.Concat(a.redirects, a.also) {
		entry += "\n      - " + uri
	}
	return entry
}

// reachable says whether the internet could reach publicURL, as far as it tells.
func reachable(publicURL string) bool {
	u, err := url.Parse(publicURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "localhost" {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err != nil || !address.IsLoopback() && !address.IsPrivate()
}

// shellWord quotes s for the shells of macOS and Linux, where it needs that.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// settings writes v as JSON for a settings file. The template escapes it for HTML.
func settings(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // structs and maps of strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// serverLinks lead to the connect pages of the servers that the viewer may use.
func (c *Console) serverLinks(v *visit) (links []ui.Link) {
	for _, s := range c.Access.ServersOf(access.Person{Org: v.session.Org, Subject: v.session.Subject, Username: v.viewer.Username}) {
		links = append(links, ui.Link{Text: cmp.Or(s.Title, s.Name), Path: "/connect/" + s.Name})
	}
	return links
}

package team

import (
	"bytes"
	"strings"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// settings shows the configuration in force, and who is signed in to these pages.
func (t *Team) settings(q *request) error {
	p := q.page("Settings", "/console/settings", "What is in force. It is changed in the configuration file, and with a reload.")
	sessions, err := t.People.Sessions(q.Context())
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Sign-ins with the company", Columns: []string{"Person", "Roles", "Since", "Last seen", "Ends", "What to do"}, Empty: "None."}
	for _, s := range sessions[:min(len(sessions), maxLines)] {
		roles := strings.Join(s.Roles, ", ")
		if s.Stale {
			roles = "none until the provider is asked again"
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: s.Label(), Faint: s.Subject + " at " + s.Issuer}, {Text: roles}, {Text: ui.Moment(s.CreatedAt, q.Now)},
			{Text: ui.Moment(s.SeenAt, q.Now)}, {Text: ui.Moment(s.ExpiresAt, q.Now)},
			{Act: q.button(ui.Act{Path: "sessions/end", Label: "Sign out", Unseen: s.Label(), Plain: true, Danger: true, Fields: []ui.HiddenField{{Name: "session", Value: s.ID}}})}})
	}
	var text bytes.Buffer
	if err := t.Settings(&text); err != nil {
		return err
	}
	routes := &ui.Table{Caption: "Routes", Columns: []string{"Method", "Path", "Roles", "What it is for"}}
	for _, r := range Routes() {
		routes.Rows = append(routes.Rows, []ui.Cell{{Text: r.Method}, {Text: r.Path, Code: true}, {Text: strings.Join(r.Roles, ", ")}, {Text: r.Does}})
	}
	p.Sections = append(p.Sections,
		ui.Section{Heading: "Sign-ins with the company", Text: shown(len(table.Rows), len(sessions), "'session list' at the command line has all."), Table: table},
		ui.Section{Heading: "Configuration in force", Text: "Without secrets. Behind a value stands where it was set: a line of the file, or a variable of the environment. What has nothing behind it is the default, or an entry of a list, which stands in the file.", Block: text.String()},
		ui.Section{Heading: "Who may use what here", Table: routes})
	return t.show(q, p)
}

// endSession signs a browser out.
func (t *Team) endSession(q *request) error {
	id := q.Member.Form.Get("session")
	err := t.Cutoff.EndSession(q.Context(), id, authproxy.Act{By: q.Actor()})
	if !audit.TookEffect(err) {
		return missing(err)
	}
	return t.done(q, "Signed out", "That browser is signed out. Whoever is signed in at the identity provider can sign in again: take the role away in the configuration, or the person at the provider, to end that.", err,
		ui.Link{Text: "Settings", Path: "/console/settings"})
}

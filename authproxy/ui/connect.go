package ui

// ConnectPage tells how to add one server to the assistants that people use. It is
// public and shows no more than a client learns from the metadata, and client ids.
type ConnectPage struct {
	Viewer *Viewer // nil: nobody is signed in

	ServerName        string // as in the endpoint's path
	ServerTitle       string // empty: ServerName is shown
	ServerDescription string
	URL               string // of the MCP endpoint

	Guides  []Guide        // assistants that can be connected
	Missing []MissingGuide // those that the administrator has to prepare first
}

func (p ConnectPage) page() head {
	return head{Template: "connect", Title: "Connect an assistant to " + p.Server(), Viewer: p.Viewer}
}

// Server is what the page calls the server.
func (p ConnectPage) Server() string {
	if p.ServerTitle != "" {
		return p.ServerTitle
	}
	return p.ServerName
}

// Guide is how to add the server to one assistant.
type Guide struct {
	Name   string // of the assistant
	Anchor string // id of its section, unique on the page
	Note   string // what to know before; may be empty
	Steps  []GuideStep
	Or     []GuideStep // other ways, each instead of all the steps
}

// GuideStep is one thing to do. Every part of it may be empty.
type GuideStep struct {
	Path   []string // what to click or choose, one after the other
	Text   string
	Fields []GuideField
	Block  string // text of several lines, or a command, to be copied whole: shown as it is
}

// GuideField is one field of the assistant's own form.
type GuideField struct {
	Label  string // as the assistant calls it
	Value  string
	Choice bool // Value is chosen there, not pasted
}

// MissingGuide is an assistant that cannot be connected yet.
type MissingGuide struct {
	Name   string
	Anchor string
	Text   string // what the administrator has to do, in one sentence
	Block  string // lines for the configuration, shown as they are; may be empty
}

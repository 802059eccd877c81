package demonstration

import (
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"text/template"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

type server struct{ name, title string }

// servers are those of the configuration, as the announcement names them.
var servers = []server{
	{"sobject-reads", "Sales, read only"},
	{writes, "Sales, with approved writes"},
	{"acme-ops", "Acme's own tools, each approved"},
}

const writes = "sobject-all"

// reviewed is the server whose writes people of the company decide about.
var reviewed = server{"sobject-reviewed", "Sales, writes approved by a colleague"}

// Setup is what a person or a script needs to use the demonstration.
type Setup struct {
	PublicURL     string            `json:"public_url"`
	MCPURLs       map[string]string `json:"mcp_urls"` // by name of the server
	ClientID      string            `json:"client_id"`
	ConsoleURL    string            `json:"console_url"`
	SalesforceURL string            `json:"salesforce_url"`
	ControlURL    string            `json:"control_url"`
	ConfigFile    string            `json:"config_file"`
	CompanyURL    string            `json:"company_url,omitempty"` // issuer of the company's identity provider; faults at /control/faults there
	Users         []User            `json:"users"`
}

// User can sign in. Requesters sign in to the simulated Salesforce, all others with the company.
type User struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Role     string `json:"role"` // requester, approver, security, auditor
}

// requester is the role of those who ask for calls.
const requester = "requester"

// NewSetup describes a proxy at publicURL on the configuration file, in front of sim.
func NewSetup(publicURL string, sim *salesforcesim.Running, file string) Setup {
	setup := Setup{
		PublicURL: publicURL, MCPURLs: map[string]string{}, ClientID: ClientID,
		ConsoleURL: publicURL + "/account", SalesforceURL: sim.BaseURL(), ControlURL: sim.ControlURL, ConfigFile: file,
	}
	for _, s := range servers {
		setup.MCPURLs[s.name] = publicURL + "/mcp/" + s.name
	}
	for _, u := range salesforcesim.DefaultUsers() {
		setup.Users = append(setup.Users, User{u.Username, u.Password, requester})
	}
	return setup
}

// roles are those of the company's people, by subject, as the configuration gives them.
var roles = map[string]string{"00u-approver": "approver", "00u-security": "security", "00u-auditor": "auditor"}

// withCompany adds the company's people and the server that they decide for.
func (setup Setup) withCompany(provider *companysim.Running) Setup {
	setup.CompanyURL, setup.ConsoleURL = provider.Issuer(), setup.PublicURL+"/console"
	setup.MCPURLs[reviewed.name] = setup.PublicURL + "/mcp/" + reviewed.name
	for _, u := range companysim.DefaultUsers() {
		setup.Users = append(setup.Users, User{u.Username, u.Password, roles[u.Subject]})
	}
	return setup
}

//go:embed announcement.txt.tmpl
var announcementText string

var announcement = template.Must(template.New("announcement").Funcs(template.FuncMap{"pad": pad}).Parse(announcementText))

// program is how the reader started this program, to start it again.
func program() string {
	if strings.Contains(os.Args[0], "go-build") { // 'go run' removes its binary
		return "go run ./cmd/sfmcp-proxy"
	}
	return os.Args[0]
}

func pad(width int, s string) string {
	return s + strings.Repeat(" ", max(2, width-len(s)))
}

// Announce prints where everything is: for a person, or as one line of JSON.
func (setup Setup) Announce(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(setup)
	}
	type line struct{ URL, Title string }
	var all []line
	for _, s := range append(slices.Clip(servers), reviewed) {
		if url := setup.MCPURLs[s.name]; url != "" {
			all = append(all, line{url, s.title})
		}
	}
	return announcement.Execute(w, map[string]any{"Setup": setup, "Program": program(), "Writes": setup.MCPURLs[writes], "Servers": all, "Reviewed": setup.MCPURLs[reviewed.name]})
}

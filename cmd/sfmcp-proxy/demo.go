package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
	"sfmcp-proxy/config"
	"sfmcp-proxy/examples/salesforcesim"
)

// demoConfig is the demonstration's configuration file: three servers over one
// simulated org. It is written to disk, so that every other command can use it.
var demoConfig = template.Must(template.New("demo").Parse(`# Written by 'sfmcp-proxy demo'. Usable with every command: --config THIS_FILE
public_url: {{.PublicURL}}
listen: "{{.Listen}}"
admin_listen: {{.AdminListen}}
database: sqlite:proxy.db
keys_file: keys

salesforce:
  orgs:
    - name: acme
      login_url: {{.SalesforceURL}}
      org_id: {{.OrgID}}
      client_id: {{.ConsumerKey}}
      insecure_http: true            # the simulated Salesforce is on this machine

servers:
  - name: sobject-reads
    title: Sales, read only
    description: Accounts, contacts and opportunities; nothing can be changed
    org: acme
    upstream: {{.SalesforceURL}}/platform/mcp/v1/platform/sobject-reads
    policy: read-only
    groups: ["*"]
  - name: sobject-all
    title: Sales, with approved writes
    description: Creating and updating records, each after a person's approval
    org: acme
    upstream: {{.SalesforceURL}}/platform/mcp/v1/platform/sobject-all
    policy: confirm-writes
    groups: ["*"]
  - name: acme-ops
    title: Acme operations
    description: Acme's own tools, each call after a person's approval
    org: acme
    upstream: {{.SalesforceURL}}/platform/mcp/v1/custom/AcmeOps
    policy: custom-tools
    groups: ["*"]

policies:
  - name: read-only
    mode: enforce
    rules:
      - {effect: allow, classes: [read]}
  - name: confirm-writes
    mode: enforce
    rules:
      - {effect: allow, classes: [read]}
      - {effect: confirm, classes: [create, update], approvers: requester}
  - name: custom-tools
    mode: enforce
    rules:
      - {effect: allow, tools: [getAccountSummary, "resource:ui://*"]}   # known to read only
      - {effect: confirm, classes: [unknown], approvers: requester}

limits: {calls_per_minute: 6000, concurrent_calls: 100}   # the defaults are 120 and 16, per user

clients:
  - id: {{.ClientID}}
    name: Demo client
    redirect_uris:
      - http://127.0.0.1/callback
      - http://127.0.0.1/oauth/callback
      - http://localhost/callback
      - http://localhost/oauth/callback
`))

const demoClientID = "demo"

// demoInfo is what a script needs to use the demonstration.
type demoInfo struct {
	PublicURL     string            `json:"public_url"`
	MCPURLs       map[string]string `json:"mcp_urls"`
	ClientID      string            `json:"client_id"`
	ConsoleURL    string            `json:"console_url"`
	SalesforceURL string            `json:"salesforce_url"`
	ControlURL    string            `json:"control_url"`
	ConfigFile    string            `json:"config_file"`
	Users         []demoUser        `json:"users"`
}

type demoUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole product in front of a simulated Salesforce org", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd) },
	}
	f := cmd.Flags()
	f.String("listen", "127.0.0.1:8080", "address of the proxy")
	f.String("salesforce-listen", "127.0.0.1:8090", "address of the simulated Salesforce")
	f.String("data", "", "folder that keeps everything over a restart (default: a temporary one)")
	f.Bool("json", false, "print one line of JSON once everything answers")
	return cmd
}

func runDemo(cmd *cobra.Command) (err error) {
	flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	dir, cleanUp, err := demoFolder(flag("data"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanUp()) }()

	for _, name := range []string{"listen", "salesforce-listen"} {
		if err := loopbackFlag(cmd, name); err != nil {
			return err
		}
	}
	public, listen, err := listenNow(flag("listen"))
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer public.Close()
	private, adminListen, err := listenNow("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer private.Close()
	publicURL := "http://" + strings.TrimSuffix(listen, ":80") // as browsers write it
	sim, err := salesforcesim.Listen(salesforcesim.Config{
		Listen: flag("salesforce-listen"), Callbacks: []string{publicURL + "/oauth/callback"},
		StateFile: filepath.Join(dir, "salesforce-sim.json"),
	})
	if err != nil {
		return fmt.Errorf("simulated Salesforce: %w", err)
	}
	defer sim.Close()

	file := filepath.Join(dir, defaultConfig)
	if err := writeDemoConfig(file, map[string]string{
		"PublicURL": publicURL, "Listen": listen, "AdminListen": adminListen, "SalesforceURL": sim.BaseURL(),
		"OrgID": salesforcesim.OrgID, "ConsumerKey": salesforcesim.PublicClientID, "ClientID": demoClientID,
	}); err != nil {
		return err
	}
	c, err := config.Load(file, nil) // the demonstration does not depend on the environment
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.KeysFile); errors.Is(err, os.ErrNotExist) {
		if err := seal.CreateKeyFile(c.KeysFile); err != nil {
			return err
		}
	}
	listening := map[string]net.Listener{listen: public, adminListen: private}
	return serveDemo(cmd, c, listening, newDemoInfo(c, sim.BaseURL(), sim.ControlURL, file))
}

// serveDemo runs the proxy and announces it once it answers.
func serveDemo(cmd *cobra.Command, c *config.Config, listening map[string]net.Listener, info demoInfo) error {
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	records := edge.NewLogWriter(cmd.ErrOrStderr())
	defer records.Close(flushTime)
	log := slog.New(edge.WithOrigin{Handler: slog.NewJSONHandler(records, nil)})
	if !asJSON { // a person is looking
		log = slog.New(edge.WithOrigin{Handler: slog.NewTextHandler(records, &slog.HandlerOptions{Level: slog.LevelWarn})})
	}
	p, err := openProcess(cmd.Context(), c, log)
	if err != nil {
		return err
	}
	p.edge.Metrics.CountDropped(records)
	p.listening = listening
	p.reread = func() (*config.Config, error) { return config.Load(info.ConfigFile, nil) }
	var g errgroup.Group
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ready := make(chan struct{})
	g.Go(func() error {
		defer cancel()
		return p.serve(ctx, func() { close(ready) })
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
			return info.announce(cmd.OutOrStdout(), asJSON)
		}
	})
	return errors.Join(g.Wait(), p.close())
}

// demoFolder returns the folder for the demonstration's files and what removes it.
func demoFolder(data string) (string, func() error, error) {
	if data == "" {
		dir, err := os.MkdirTemp("", "sfmcp-proxy-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	dir, err := filepath.Abs(data)
	if err != nil {
		return "", nil, err
	}
	return dir, func() error { return nil }, os.MkdirAll(dir, 0o700)
}

// loopbackFlag checks a flag of the demonstration that says where to listen.
func loopbackFlag(cmd *cobra.Command, name string) error {
	at, err := listenFlag(cmd, name)
	if err == nil && !at.IP.IsLoopback() {
		err = usageError{fmt.Errorf("--%s: %s is not a loopback address: the demonstration's passwords are public", name, cmd.Flags().Lookup(name).Value)}
	}
	return err
}

// listenNow listens before anything else starts, because the port, which 0 leaves to
// the system, is part of the issuer; and keeps the port from others until then.
func listenNow(address string) (l net.Listener, actual string, err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	if l, err = net.Listen("tcp", address); err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return l, net.JoinHostPort(host, port), err
}

func writeDemoConfig(file string, values map[string]string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the demonstration's configuration: %w", err)
	}
	return errors.Join(demoConfig.Execute(f, values), f.Close())
}

func newDemoInfo(c *config.Config, salesforceURL, controlURL, file string) demoInfo {
	info := demoInfo{
		PublicURL: c.PublicURL, MCPURLs: map[string]string{}, ClientID: demoClientID,
		ConsoleURL: c.PublicURL + "/account", SalesforceURL: salesforceURL, ControlURL: controlURL, ConfigFile: file,
	}
	for _, s := range c.Servers {
		info.MCPURLs[s.Name] = c.PublicURL + "/mcp/" + s.Name
	}
	for _, u := range salesforcesim.DefaultUsers() {
		info.Users = append(info.Users, demoUser{u.Username, u.Password, u.Role})
	}
	return info
}

var announcement = template.Must(template.New("announcement").Funcs(template.FuncMap{"pad": pad}).Parse(`
sfmcp-proxy demo: the whole product in front of a simulated Salesforce org.

  MCP servers (paste one into your client)
{{- range .Servers}}
    {{pad 54 .URL}}{{.Title}}
{{- end}}

  OAuth client id     {{.Info.ClientID}}   (user-defined client, no secret)
  Sign in as
{{- range .Info.Users}}
    {{pad 24 .Username}}{{pad 24 .Password}}{{.Role}}
{{- end}}

  How to connect      {{.Info.PublicURL}}/connect/sobject-all
  Your connections    {{.Info.ConsoleURL}}
  Salesforce          {{.Info.SalesforceURL}}   (simulated; control: {{.Info.ControlURL}})
  Configuration       {{.Info.ConfigFile}}

  MCP Inspector (Node 22), from another terminal; the first call opens the browser:
    export MCP_AUTO_OPEN_ENABLED=true MCP_INSPECTOR_SECRET_STORE=file
    npx @modelcontextprotocol/inspector@2.12.0 --cli {{.Writes}} --transport http --client-id {{.Info.ClientID}} \
      --method tools/call --tool-name soqlQuery --tool-arg 'q=SELECT Name, Industry FROM Account LIMIT 5'

  Claude Code:
    claude mcp add --transport http --client-id {{.Info.ClientID}} salesforce {{.Writes}}

  ChatGPT needs an https address that it can reach: see README.md, "Connect ChatGPT".

  Cut a user off, from another terminal:
    {{.Program}} user revoke {{(index .Info.Users 0).Username}} --config {{.Info.ConfigFile}}

Ctrl-C ends it.
`))

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

// announce prints where everything is: for a person, or as one line of JSON.
func (info demoInfo) announce(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(info)
	}
	type server struct{ URL, Title string }
	return announcement.Execute(w, map[string]any{
		"Info": info, "Program": program(), "Writes": info.MCPURLs["sobject-all"],
		"Servers": []server{
			{info.MCPURLs["sobject-reads"], "Sales, read only"},
			{info.MCPURLs["sobject-all"], "Sales, with approved writes"},
			{info.MCPURLs["acme-ops"], "Acme's own tools, each approved"},
		},
	})
}

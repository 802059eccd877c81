// Package demonstration sets up what 'sfmcp-proxy demo' runs the product in front of: a
// simulated Salesforce org and a company's identity provider, a configuration with four servers, and the words that
// tell a person, or a script, how to use them. The configuration is written to disk, so
// that every other command can be tried on it.
package demonstration

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// ClientID is the user-defined client of the demonstration.
const ClientID = "demo"

// Files in the folder of a demonstration: its configuration, how that begins, and the lock that a running one holds.
const (
	configFile  = "sfmcp-proxy.yaml"
	configStart = "# Written by 'sfmcp-proxy demo'."
	lockName    = "demo.lock"
)

//go:embed sfmcp-proxy.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("configuration").Parse(configText))

// Config is where the demonstration runs.
type Config struct {
	// Listen and SalesforceListen are the addresses of the proxy and of the simulated
	// Salesforce; port 0 leaves the port to the system.
	Listen, SalesforceListen string
	// CompanyListen is that of the company's simulated identity provider; empty: the port above
	// SalesforceListen's, or any where that is taken or 0.
	CompanyListen string
	// Folder is a folder that keeps everything over a restart; empty: a temporary one.
	Folder string
}

// Demonstration is set up and waits for the product.
type Demonstration struct {
	Setup Setup
	// Listeners are the proxy's, by address: what others might take is held from the start.
	Listeners map[string]net.Listener
	// Saved is where the configuration is now that was there and that no demo had written; empty: there was none.
	Saved string

	closers []func() error
}

// Open sets it up.
func Open(c Config) (_ *Demonstration, err error) {
	d := &Demonstration{Listeners: map[string]net.Listener{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	dir, err := d.folder(c.Folder)
	if err != nil {
		return nil, err
	}
	if err := d.take(dir); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	listen, err := d.listen(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", orElse(err, "--listen", c.Listen))
	}
	adminListen, err := d.listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	publicURL := "http://" + strings.TrimSuffix(listen, ":80") // as browsers write it
	sim, err := salesforcesim.Listen(salesforcesim.Config{
		Listen: c.SalesforceListen, Callbacks: []string{publicURL + "/oauth/callback"},
		StateFile: filepath.Join(dir, "salesforce-sim.json"), OfferUsers: true,
	})
	if err != nil {
		return nil, fmt.Errorf("simulated Salesforce: %w", orElse(err, "--salesforce-listen", c.SalesforceListen))
	}
	d.closers = append(d.closers, sim.Close)
	provider, err := listenAsCompany(c, publicURL)
	if err != nil {
		return nil, fmt.Errorf("--company-listen: %w", orElse(err, "--company-listen", c.CompanyListen))
	}
	d.closers = append(d.closers, provider.Close)
	file := filepath.Join(dir, configFile)
	if err := WriteConfig(file, Addresses{publicURL, listen, adminListen, sim.BaseURL(), provider.Issuer()}); err != nil {
		return nil, err
	}
	keys := filepath.Join(dir, "keys")
	if _, err := os.Stat(keys); errors.Is(err, os.ErrNotExist) {
		if err := seal.CreateKeyFile(keys); err != nil {
			return nil, err
		}
	}
	d.Setup = NewSetup(publicURL, sim, file).withCompany(provider)
	return d, nil
}

// listenAsCompany starts the company's identity provider.
func listenAsCompany(c Config, publicURL string) (*companysim.Running, error) {
	simulated := companysim.Config{RedirectURIs: []string{publicURL + "/oauth/company/callback"}, OfferUsers: true}
	if c.CompanyListen != "" {
		return companysim.Listen(c.CompanyListen, simulated)
	}
	host, port, err := net.SplitHostPort(c.SalesforceListen)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 65535 { // the same over restarts, so that links stay
		if provider, err := companysim.Listen(net.JoinHostPort(host, strconv.Itoa(n+1)), simulated); err == nil {
			return provider, nil
		}
	}
	return companysim.Listen(net.JoinHostPort(host, "0"), simulated)
}

// orElse is err, with how to name another address where it says that another program has the one of flag.
func orElse(err error, flag, address string) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	host, port, _ := net.SplitHostPort(address) // it was listened to
	n, _ := strconv.Atoi(port)
	running := ""
	if flag == "--listen" {
		running = fmt.Sprintf(" if a demo runs there already, use it at http://%s;", address)
	}
	return fmt.Errorf("%w;%s name another with %s %s", err, running, flag, net.JoinHostPort(host, strconv.Itoa(n%65535+1)))
}

// Close ends the simulated Salesforce and removes what was temporary.
func (d *Demonstration) Close() (err error) {
	for i := len(d.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closers[i]())
	}
	return err
}

// folder returns the folder for the demonstration's files.
func (d *Demonstration) folder(data string) (string, error) {
	if data == "" {
		dir, err := os.MkdirTemp("", "sfmcp-proxy-demo-")
		d.closers = append(d.closers, func() error { return os.RemoveAll(dir) })
		return dir, err
	}
	dir, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// take keeps the folder from other demonstrations until Close, or until the process ends. One that runs there would
// have its configuration written over, and share its database and its Salesforce with this one.
func (d *Demonstration) take(dir string) error {
	file := filepath.Join(dir, configFile)
	lock, err := logfile.OpenFileLock(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	d.closers = append(d.closers, lock.Close)
	switch err := lock.Hold(); {
	case errors.Is(err, logfile.ErrHeld):
		return fmt.Errorf("a demo runs in %s already: use that one, whose addresses are in %s, end it, or name another folder", dir, file)
	case err != nil:
		return err
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case strings.HasPrefix(string(text), configStart):
		return nil
	}
	saved := file + ".saved"
	if _, err := os.Lstat(saved); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s was not written by a demo, which would write over it, and %s has another one already: name another folder", file, saved)
	}
	d.Saved = saved
	return os.Rename(file, saved)
}

// listen holds an address for the proxy.
func (d *Demonstration) listen(address string) (actual string, err error) {
	l, actual, err := Listen(address)
	if err == nil {
		d.Listeners[actual] = l
		d.closers = append(d.closers, func() error { l.Close(); return nil }) // served, it is closed already
	}
	return actual, err
}

// Listen listens before anything else starts, because the port, which 0 leaves to
// the system, is part of the issuer; and keeps the port from others until then.
func Listen(address string) (l net.Listener, actual string, err error) {
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

// Addresses are what a configuration of the demonstration has of its own.
// CompanyURL is the issuer of the company's identity provider; empty: there is none.
type Addresses struct{ PublicURL, Listen, AdminListen, SalesforceURL, CompanyURL string }

// WriteConfig writes the configuration: four servers over one simulated org, or three where there is
// no company whose people decide.
func WriteConfig(file string, at Addresses) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the demonstration's configuration: %w", err)
	}
	return errors.Join(configTemplate.Execute(f, struct {
		Addresses
		OrgID, ConsumerKey, ClientID        string
		CompanyClientID, CompanySecret, MFA string
	}{at, salesforcesim.OrgID, salesforcesim.PublicClientID, ClientID, companysim.ClientID, companysim.ClientSecret, companysim.MFA}), f.Close())
}

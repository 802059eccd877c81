package salesforcesim

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/spf13/pflag"
)

// Flags are the settings of a simulator on a command line.
type Flags struct {
	set                              *pflag.FlagSet
	listen, control, baseURL         string
	configFile, stateFile, cert, key string
	insecureListen                   bool
	callbacks                        []string
}

// AddFlags adds the settings of a simulator to those of a command.
func AddFlags(set *pflag.FlagSet) *Flags {
	f := &Flags{set: set}
	set.StringVar(&f.listen, "listen", "127.0.0.1:8090", "address of login host and gateway")
	set.StringVar(&f.control, "control", "127.0.0.1:8091", "address of the control API")
	set.BoolVar(&f.insecureListen, "insecure-listen", false, "let --listen and --control name an address that other machines reach")
	set.StringSliceVar(&f.callbacks, "callback", []string{"http://127.0.0.1:8080/oauth/callback"}, "callback URL of the External Client App (repeatable)")
	set.StringVar(&f.configFile, "config", "", "YAML or JSON file with orgs, users, apps, servers, records and switches")
	set.StringVar(&f.stateFile, "state", "", "file that keeps logins and tokens across restarts, records beside it")
	set.StringVar(&f.baseURL, "base-url", "", "URL by which clients reach it, where that is not --listen")
	set.StringVar(&f.cert, "tls-cert", "", "file with the certificate chain of login host and gateway (PEM)")
	set.StringVar(&f.key, "tls-key", "", "file with the private key of --tls-cert (PEM)")
	return f
}

// Config is what the flags and the file of --config say. A flag that was given counts for
// more than the file. The error names the flag or the file that is wrong.
func (f *Flags) Config() (Config, error) {
	if err := f.checkListen("listen", f.listen); err != nil {
		return Config{}, err
	}
	if err := f.checkListen("control", f.control); err != nil {
		return Config{}, err
	}
	var cfg Config
	if f.configFile != "" {
		var err error
		if cfg, err = ReadConfig(f.configFile); err != nil {
			return Config{}, err
		}
	}
	if cfg.Callbacks == nil || f.set.Changed("callback") {
		cfg.Callbacks = f.callbacks
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return Config{}, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	cfg.Listen, cfg.ControlListen, cfg.StateFile = f.listen, f.control, f.stateFile
	cfg.BaseURL = cmp.Or(f.baseURL, cfg.BaseURL)
	return cfg, nil
}

// checkListen refuses an address that other machines reach, unless that is wanted: the
// passwords of the simulator's users are in its documentation, and its control API asks
// nobody who they are.
func (f *Flags) checkListen(name, address string) error {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return fmt.Errorf("--%s: %w", name, err)
	}
	if f.insecureListen || at.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--%s: %s is not a loopback address: the simulator's passwords are public and its control API asks for none, "+
		"so whoever reaches it can do everything; add --insecure-listen where only people who may can reach it", name, address)
}

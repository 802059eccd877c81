package salesforcesim

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// ReadConfig reads a configuration from a YAML or JSON file: orgs with their users, apps
// and records, active servers, and the switches that are on from the start. Its keys are
// those in the tags of [Config], [Org], [User], [ECA], [Switches] and records.Seed; every
// other key is an error, as is a key that is there twice.
func ReadConfig(file string) (Config, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("reading the simulator's configuration: %w", err)
	}
	var cfg Config
	if err := decodeConfig(content, &cfg); err != nil {
		return Config{}, fmt.Errorf("reading the simulator's configuration %s: %w", file, err)
	}
	return cfg, nil
}

// decodeConfig decodes YAML, of which JSON is a part, by way of JSON: so one set of tags
// and of types serves the file and the control API.
func decodeConfig(content []byte, cfg *Config) error {
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		return err
	}
	if root.IsZero() {
		return nil // an empty file: everything by default
	}
	datesAreText(&root)
	var value any
	if err := root.Decode(&value); err != nil {
		return err
	}
	if value == nil {
		return nil // nothing but comments
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(encoded, cfg, json.RejectUnknownMembers(true), json.WithUnmarshalers(json.UnmarshalFunc(readDuration))); err != nil {
		return err
	}
	return cfg.check()
}

// check reports what a program that fills in a Config need not be told.
func (c Config) check() error {
	var problems []error
	lifetime := func(name string, d time.Duration) {
		if d < 0 {
			problems = append(problems, fmt.Errorf("%s %s: want zero or more", name, d))
		}
	}
	users := slices.Clone(c.Users)
	lifetime("access_token_lifetime", c.AccessTokenLifetime)
	for _, o := range c.Orgs {
		users = append(users, o.Users...)
		for _, e := range o.Apps {
			lifetime("jwt_lifetime", e.JWTLifetime)
			lifetime("refresh_max", e.RefreshMax)
			lifetime("refresh_idle", e.RefreshIdle)
		}
	}
	for _, u := range users {
		if u.Username == "" || u.Password == "" {
			problems = append(problems, fmt.Errorf("user %q: want a username and a password", u.Username))
		}
	}
	return errors.Join(problems...)
}

// readDuration reads a Go duration, such as 30m.
func readDuration(encoded []byte, d *time.Duration) error {
	var text string
	if err := json.Unmarshal(encoded, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	*d = parsed
	return err
}

// datesAreText keeps dates as they are written: in a field of a record, a date is text.
func datesAreText(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		datesAreText(child)
	}
}

package main

import (
	"errors"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/config"
)

// The policy page says what a reload would change, and why it would be refused, before anybody reloads.
func TestPendingChangesOfPolicies(t *testing.T) {
	t.Parallel()
	process, file := configured(t, twoOrgs)
	p := process.current.Load()
	if got := p.pending(); got != nil {
		t.Errorf("nothing to reload: %+v", got)
	}
	for name, tt := range map[string]struct {
		change  func(*config.Config)
		err     error
		servers int
		want    string
	}{
		"as in force": {change: func(*config.Config) {}},
		"refused":     {err: errors.New("policies[0].rules: found nothing"), want: "found nothing"},
		"a rule more": {change: func(c *config.Config) {
			c.Policies[0].Rules = append(c.Policies[0].Rules, policy.Rule{Effect: policy.Allow, Classes: []policy.Class{policy.Delete}})
		}, servers: 1, want: "delete"},
	} {
		process.reread = func() (*config.Config, error) {
			if tt.err != nil {
				return nil, tt.err
			}
			c, err := config.Load(file, nil)
			if err == nil {
				tt.change(c)
			}
			return c, err
		}
		got := p.pending()
		if got == nil || len(got.Servers) != tt.servers {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		text := got.Problem
		for _, s := range got.Servers {
			text += s.Server + " " + strings.Join(s.Lines, "\n")
		}
		if !strings.Contains(text, tt.want) || (tt.want == "") != (text == "") {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/config"
)

func policyReplayCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "replay --policy FILE", Short: "Say what a draft would have decided about the calls of the last days",
		Long: `replay judges the calls of the audit log by a draft: one policy in a file of its own (as in
policies_dir; its name is that of the file), or a whole configuration. It says which calls
would be decided otherwise, by user, tool and rule, and how many cannot be judged any more.
A configuration is read with the environment, as serve and check read it: run it with the same
variables. Groups are those of today. Rules with after are judged as if nobody had been given
text of outsiders.

--out writes the result to a file that names the draft, the catalogue and the range of the log
by their digests. That there was a replay is in the audit log; with policies_need_replay a
reload takes no other policy into force.`,
		Args: usageArgs(cobra.NoArgs)}, wholeLog(replayPolicy))
	f := cmd.Flags()
	f.String("policy", "", "the draft: a policy in a file of its own, or a configuration")
	f.String("since", "7d", "from then on: "+timeForms)
	f.String("until", "", "up to then: "+timeForms)
	f.String("out", "", "write the result, JSON, to this new file")
	jsonFlag(cmd)
	return cmd
}

func replayPolicy(s *stores, cmd *cobra.Command, _ []string) error {
	text := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	if text("policy") == "" {
		return usageError{fmt.Errorf("--policy is required: a policy in a file of its own, or a configuration")}
	}
	drafts, err := replaying{s}.drafts(text("policy"))
	if err != nil {
		return err
	}
	filter := audit.Filter{}
	if err := setTimes(&filter, text("since"), text("until"), s.now()); err != nil {
		return usageError{err}
	}
	if filter.Until.IsZero() {
		filter.Until = s.now()
	}
	var replays []*analysis.Replay
	for _, d := range drafts {
		replay, err := replaying{s}.replay(cmd.Context(), d, filter)
		if err != nil {
			return err
		}
		replays = append(replays, replay)
	}
	result, err := json.MarshalIndent(replays, "", "  ")
	if err != nil {
		return err
	}
	if out := text("out"); out != "" {
		if err := writeNew(out, append(result, '\n')); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	for _, r := range replays {
		if err := (replaying{s}).record(cmd, r, result); err != nil {
			return err
		}
	}
	return printer(cmd).Replays(replays)
}

// draft is a policy that is replayed, with the servers that it would stand in front of.
type draft struct {
	*policy.Policy
	fronts map[string]*policy.Policy // as it holds there, by the name of the server
}

// replaying judges what was recorded by drafts.
type replaying struct{ *stores }

// drafts reads what is to be replayed: one policy, in front of the servers of the configuration
// in use, or all those of a configuration that stand in front of a server there.
func (s replaying) drafts(file string) (all []draft, err error) {
	one, err := config.ReadPolicy(file)
	if err != nil {
		c, loadErr := config.Load(file, os.Environ())
		if loadErr != nil {
			return nil, usageError{nearer(file, loadErr, err)}
		}
		judged := c.Judged()
		for _, p := range c.Policies {
			if d := draftOf(judged[p.Name], c.Servers); len(d.fronts) > 0 {
				all = append(all, d)
			}
		}
		return all, nil
	}
	d := draftOf(one.Judge(s.config.CalendarsRead()), s.config.Servers)
	if problems := d.Validate(); len(problems) > 0 {
		return nil, usageError{fmt.Errorf("%s: %s", file, problems[0])}
	}
	if len(d.fronts) == 0 {
		return nil, usageError{fmt.Errorf("no server has a policy %q: a draft has the name of the policy that it is to replace", d.Name)}
	}
	return []draft{d}, nil
}

// draftOf puts a policy in front of those of the servers that have a policy of its name.
func draftOf(p *policy.Policy, servers []config.Server) draft {
	d := draft{p, map[string]*policy.Policy{}}
	for _, server := range servers {
		if server.Policy == p.Name {
			d.fronts[server.Name] = p.For(server.Upstream, server.Declare...)
		}
	}
	return d
}

// replay judges the calls of the log on the servers of a draft.
func (s replaying) replay(ctx context.Context, d draft, filter audit.Filter) (*analysis.Replay, error) {
	r := &analysis.Replay{Policy: d.Name, Version: d.Version(), Catalogue: policy.CatalogueDigest(), Since: filter.Since.UTC(), Until: filter.Until.UTC()}
	for _, front := range d.fronts {
		r.Versions = append(r.Versions, front.Version())
	}
	slices.Sort(r.Versions)
	r.Versions = slices.Compact(r.Versions)
	people := map[[3]string]policy.Principal{} // by org, subject and client
	err := s.audit.List(ctx, filter, func(e audit.Entry) error {
		p := d.fronts[e.Server]
		if p == nil || !decidedCall(e) {
			return nil
		}
		call, err := s.recorded(ctx, e, people)
		if err == nil {
			r.Add(call, p)
		}
		return err
	})
	r.Sort()
	return r, err
}

// decidedCall reports whether an entry is the first about a call: that it was decided.
func decidedCall(e audit.Entry) bool {
	call := e.Action == audit.ToolCall || e.Action == audit.PromptGet || e.Action == audit.ResourceRead
	return call && e.Tool != "" && e.Decision != "" && (e.Outcome == audit.Intent || e.Outcome == audit.Denied || e.Outcome == audit.Held)
}

// recorded makes the call of an entry again.
func (s replaying) recorded(ctx context.Context, e audit.Entry, people map[[3]string]policy.Principal) (analysis.Recorded, error) {
	effect, _, _ := strings.Cut(string(e.Decision), " ") // "allow (shadow)" let it pass
	call := analysis.Recorded{
		Seq: e.Seq, Server: e.Server, Effect: policy.Effect(effect), Unjudged: unjudged(e),
		Call: policy.Call{Tool: e.Tool, Arguments: []byte(e.Arguments), Server: e.Server, Source: s.config.ClientAddress(e.Source), Now: e.At},
	}
	key := [3]string{e.Org, e.Subject, e.Client}
	who, known := people[key]
	if !known && call.Unjudged == "" {
		var err error
		if who, err = s.access.Principal(ctx, e.Org, e.Subject, e.Client); err != nil {
			return call, err
		}
		people[key] = who
	}
	call.Who = who
	return call, nil
}

// unjudged says why the arguments of an entry are not those of the call; "" if they are.
func unjudged(e audit.Entry) string {
	switch {
	case e.Personal != "":
		return e.Personal
	case e.ArgumentsDigest == "" && len(e.Arguments) == 0:
		return ""
	case len(e.Arguments) > 0 && approval.Digest(jsontext.Value(e.Arguments)) == e.ArgumentsDigest:
		return ""
	case strings.Contains(string(e.Arguments), `"not_stored"`):
		return "arguments too long to be kept"
	}
	return "a credential was taken out of the arguments"
}

// replayedOf is what the entry of a replay says of it beside the policy.
type replayedOf struct {
	Versions  []string `json:"versions"` // of the policy in front of its servers
	Catalogue string   `json:"catalogue"`
	First     int64    `json:"first"`
	Last      int64    `json:"last"`
	Calls     int      `json:"calls"`
	Judged    int      `json:"judged"`
	Changed   int      `json:"changed"`
}

// record notes that there was a replay, and of what.
func (s replaying) record(cmd *cobra.Command, r *analysis.Replay, result []byte) error {
	sum := sha256.Sum256(result)
	about, err := json.Marshal(replayedOf{r.Versions, r.Catalogue, r.First, r.Last, r.Calls, r.Judged, r.Changed})
	if err != nil {
		return err
	}
	_, err = s.audit.Append(cmd.Context(), audit.Entry{
		Actor: operator(""), Action: audit.PolicyReplay, Object: r.Policy, Outcome: audit.OK, PolicyVersion: r.Version,
		Reason: "result sha256 " + hex.EncodeToString(sum[:]), Arguments: about,
	})
	return err
}

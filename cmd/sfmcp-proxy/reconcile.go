package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/reconcile"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

func reconcileCommand() *cobra.Command {
	cmd := withStores(&cobra.Command{
		Use: "reconcile", Short: "Hold the logs of ChatGPT and Salesforce against ours: what went round the proxy",
		Long: `reconcile compares the audit log with what others wrote down, over the time that their file covers.

--openai FILE is the app log of ChatGPT's compliance logs (JSON lines of type APP_LOG). Each call that
an app made is matched with one of ours: the same person, the same tool, at most --window apart. What
ChatGPT has and we lack went to Salesforce another way; what we have and it lacks was not made by a
person in ChatGPT, or is not in the file.

--salesforce FILE is an event log file of Salesforce (CSV). Each request through --connected-app must
be near a call of ours of the same user; else that app's tokens are used by something else. One call
can be several requests, and Salesforce may not log calls of hosted MCP servers at all: where it has
none of ours, nothing follows from that, and reconcile says so.

The audit log is that of this machine: where several replicas run, run it on each. What all of them
lack went round the proxy.

Exit status: 0 they agree; 1 they do not, nothing was compared, or something in a file cannot be read;
2 wrong usage.`,
		Args: usageArgs(cobra.NoArgs)}, wholeLog(reconcileLogs))
	f := cmd.Flags()
	f.String("openai", "", "the app log of ChatGPT's compliance logs")
	f.String("salesforce", "", "an event log file of Salesforce")
	f.StringSlice("app", nil, "our app in ChatGPT, by name or id; apps named after Salesforce, and tools that only Salesforce has, count too")
	f.StringSlice("client", nil, "which client of ours ChatGPT is; without it all whose id has chatgpt in it")
	f.StringSlice("connected-app", nil, "our External Client App, by name or id as the event log has it; without it requests of every app count")
	f.StringSlice("person", nil, "EMAIL=USER: who an address in ChatGPT is in Salesforce, where the user name is another")
	f.Duration("window", 2*time.Minute, "how far apart the times of one call may be")
	jsonFlag(cmd)
	return cmd
}

// reconciling compares files with the log.
type reconciling struct {
	*stores
	cmd    *cobra.Command
	window time.Duration
	people map[string]string // Salesforce user ids by user name, and by address where --person says so
	result listing.Reconciled
}

func reconcileLogs(s *stores, cmd *cobra.Command, _ []string) error {
	r := &reconciling{stores: s, cmd: cmd}
	openai, salesforce := cmd.Flags().Lookup("openai").Value.String(), cmd.Flags().Lookup("salesforce").Value.String()
	r.window, _ = cmd.Flags().GetDuration("window")
	switch {
	case openai == "" && salesforce == "":
		return usageError{errors.New("--openai FILE or --salesforce FILE is required")}
	case r.window <= 0 || r.window > time.Hour:
		return usageError{fmt.Errorf("--window: expected a time up to 1h, found %s", r.window)}
	}
	if err := r.readPeople(); err != nil {
		return err
	}
	if err := r.checkClients(); err != nil {
		return err
	}
	for _, log := range []struct {
		file    string
		compare func(io.Reader) (*listing.Compared, error)
		into    **listing.Compared
	}{{openai, r.openAI, &r.result.OpenAI}, {salesforce, r.salesforce, &r.result.Salesforce}} {
		if log.file == "" {
			continue
		}
		file, err := os.Open(log.file)
		if err != nil {
			return usageError{err}
		}
		*log.into, err = log.compare(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", log.file, err)
		}
	}
	about, err := json.Marshal(r.result.Summary())
	if err != nil {
		return err
	}
	if _, err := s.audit.Append(cmd.Context(), audit.Entry{Actor: operator(""), Action: audit.LogReconcile, Object: "audit log", Outcome: audit.OK, Arguments: about}); err != nil {
		return err
	}
	if err := printer(cmd).Reconciled(r.result); err != nil {
		return err
	}
	if !r.result.Agree() {
		return reportedError(exitFailed)
	}
	return nil
}

// readPeople reads who is who.
func (r *reconciling) readPeople() error {
	users, err := r.grants.Users(r.cmd.Context())
	if err != nil {
		return err
	}
	r.people = map[string]string{}
	for _, u := range users {
		if u.Username != "" {
			r.people[strings.ToLower(u.Username)] = u.Subject
		}
	}
	named, _ := r.cmd.Flags().GetStringSlice("person")
	for _, one := range named {
		email, who, ok := strings.Cut(one, "=")
		if !ok || email == "" || who == "" {
			return usageError{fmt.Errorf("--person: expected EMAIL=USER, found %q", one)}
		}
		subject := grant.FullID(who)
		if strings.Contains(who, "@") {
			if subject = r.people[strings.ToLower(who)]; subject == "" {
				return usageError{fmt.Errorf("--person: nobody with the user name %q has signed in here", who)}
			}
		}
		r.people[strings.ToLower(email)] = subject
	}
	return nil
}

// userOf is the user with an address: their user name is it, alone or with the name of a sandbox.
func (r *reconciling) userOf(email string) string {
	if id := r.people[email]; id != "" {
		return id
	}
	found := ""
	for username, id := range r.people {
		if strings.HasPrefix(username, email+".") && email != "" {
			if found != "" && found != id { // two sandboxes with ids of their own: nobody knows which
				return email
			}
			found = id
		}
	}
	if found != "" {
		return found
	}
	return email
}

// openAI compares with ChatGPT's app log.
func (r *reconciling) openAI(file io.Reader) (*listing.Compared, error) {
	apps, _ := r.cmd.Flags().GetStringSlice("app")
	ctx := r.cmd.Context()
	isChatGPT, err := r.clientsOfChatGPT()
	if err != nil {
		return nil, err
	}
	read, err := reconcile.ReadOpenAI(file, reconcile.OpenAI{Apps: apps, User: r.userOf})
	if err != nil {
		return nil, err
	}
	c := &listing.Compared{File: *read}
	ours, err := r.ours(ctx, c, func(e audit.Entry) bool {
		return e.Action == audit.ToolCall && e.Outcome != audit.Intent && isChatGPT(e.Client)
	})
	if err != nil {
		return nil, err
	}
	c.Difference = reconcile.Pair(r.within(c, read.Calls), ours[0], r.near(c))
	c.Nothing = c.Matched+c.OnlyThere+c.OnlyHere == 0
	return c, nil
}

// checkClients refuses a client of which nothing is known: all calls that ChatGPT made would be found in its log alone.
func (r *reconciling) checkClients() error {
	named, err := r.cmd.Flags().GetStringSlice("client")
	if err != nil {
		return err
	}
	reads, err := r.newReads()
	for _, id := range named {
		if err == nil {
			err = wrongFilter(reads.CheckNames(r.cmd.Context(), audit.Filter{Client: id}))
		}
	}
	return err
}

// clientsOfChatGPT says which clients ChatGPT is.
func (r *reconciling) clientsOfChatGPT() (func(client string) bool, error) {
	named, err := r.cmd.Flags().GetStringSlice("client")
	return func(client string) bool {
		if len(named) > 0 {
			return slices.Contains(named, client)
		}
		return strings.Contains(strings.ToLower(client), "chatgpt")
	}, err
}

// salesforce compares with an event log file.
func (r *reconciling) salesforce(file io.Reader) (*listing.Compared, error) {
	apps, _ := r.cmd.Flags().GetStringSlice("connected-app")
	read, err := reconcile.ReadSalesforce(file, reconcile.Salesforce{Apps: apps, Types: reconcile.APITypes(), User: grant.FullID})
	if err != nil {
		return nil, err
	}
	c := &listing.Compared{File: *read}
	sent := func(e audit.Entry) bool {
		return e.Subject != "" && e.Outcome != audit.Denied && e.Outcome != audit.Held && e.Outcome != audit.Repeated
	}
	// What is done in a user's name explains requests: calls, and what the proxy asks to understand,
	// show and check them. Only calls must have some.
	ours, err := r.ours(r.cmd.Context(), c, sent, func(e audit.Entry) bool { return e.Action == audit.ToolCall && e.Outcome != audit.Intent && sent(e) })
	if err != nil {
		return nil, err
	}
	c.Difference = reconcile.Cover(r.within(c, read.Calls), ours[0], ours[1], r.near(c))
	c.Nothing = c.Matched+c.OnlyThere+c.OnlyHere == 0
	if c.Matched == 0 && c.OnlyHere > 0 {
		c.Notes = append(c.Notes, "none of our calls is in the file: Salesforce need not log calls of hosted MCP servers, so nothing follows from what only we have")
		c.OnlyHere, c.Here = 0, []reconcile.Call{}
	}
	return c, nil
}

// ours are the entries of the time of a file that are of each kind. Where the log has not all of that
// time, the comparison says so.
func (r *reconciling) ours(ctx context.Context, c *listing.Compared, kinds ...func(audit.Entry) bool) ([][]reconcile.Call, error) {
	all := make([][]reconcile.Call, len(kinds))
	if c.From.IsZero() {
		c.Notes = append(c.Notes, "the file has no event that is compared")
		return all, nil
	}
	oldest, begins, err := r.audit.Published().Oldest(ctx)
	if err != nil {
		return nil, err
	}
	if oldest == 0 {
		return nil, errors.New("the audit log has no entry to compare with")
	}
	if begins.After(c.From) {
		c.LogBegins = begins
		c.Notes = append(c.Notes, "the audit log begins within the time of the file: what is older in the file is not compared")
	}
	others, err := r.roster.Beside(ctx, c.From.Add(-r.window))
	if err != nil {
		return nil, err
	}
	if c.OtherLogs = roster.Hosts(others); len(others) > 0 {
		c.Notes = append(c.Notes, "other replicas have audit logs of their own, which are not compared ("+roster.InWords(c.OtherLogs)+
			"): what only the file has may be theirs; run this on each machine, and what all of them lack went round the proxy")
	}
	erased := 0
	err = r.audit.List(ctx, audit.Filter{Since: c.From.Add(-r.window), Until: c.Until.Add(r.window)}, func(e audit.Entry) error {
		if e.Personal != "" {
			erased++
			return nil
		}
		for i, is := range kinds {
			if !is(e) {
				continue
			}
			if len(all[i]) >= reconcile.MaxEvents {
				return fmt.Errorf("more than %d entries in that time: compare a shorter one", reconcile.MaxEvents)
			}
			all[i] = append(all[i], reconcile.Call{At: e.At, User: e.Subject, Name: listing.Person(e.Username, e.Subject), Tool: e.Tool, Ref: fmt.Sprintf("entry %d", e.Seq), About: string(e.Action) + " " + string(e.Outcome)})
		}
		return nil
	})
	if erased > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d entries are about people who were erased: what they explain is not known", erased))
	}
	return all, err
}

// near says which calls can be one.
func (r *reconciling) near(c *listing.Compared) reconcile.Within {
	return reconcile.Within{Apart: r.window, From: c.From, Until: c.Until}
}

// within leaves out what is older than our log.
func (r *reconciling) within(c *listing.Compared, theirs []reconcile.Call) []reconcile.Call {
	return slices.DeleteFunc(slices.Clone(theirs), func(call reconcile.Call) bool {
		old := call.At.Before(c.LogBegins)
		if old {
			c.Older++
		}
		return old
	})
}

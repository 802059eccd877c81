package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
	"sfmcp-proxy/config"
)

func policyCommand() *cobra.Command {
	test := &cobra.Command{
		Use: "test --server S --user U --tool T --arguments JSON", Short: "Say what the policy decides for a call, and by which rule",
		Long: `test says what the policy decides for a call. With --expect, or for each case of --file,
another decision than the expected one is said in a sentence, and the exit status is 1.

A file of cases is a YAML list:

  - {server: sales, user: rep@acme.example, tool: soqlQuery, arguments: {q: SELECT Id FROM Account LIMIT 1}, expect: allow}
  - {server: sales, user: rep@acme.example, client: chatgpt, tool: createSobjectRecord, expect: confirm}

Where neither key file nor database is, as in a build, users are who they are said to be.`,
		Args: usageArgs(cobra.NoArgs), RunE: testPolicy,
	}
	configFlag(test)
	f := test.Flags()
	f.String("server", "", "name of the server")
	f.String("user", "", "Salesforce user id or username")
	f.String("client", "", "client id")
	f.String("tool", "", "name of the tool; prompt:NAME and resource:URI for those")
	f.String("arguments", "{}", "the call's arguments, a JSON object")
	f.String("source", "", "network address of the client, for conditions")
	f.String("at", "", "moment of the call, for conditions, as 2026-12-24T18:00:00+01:00 (default now)")
	f.String("after", "", "outside_text: such text was given to the user's client shortly before")
	f.String("expect", "", "the decision that is right: allow, confirm or deny")
	f.String("file", "", "test every case of this YAML file")
	jsonFlag(test)
	return group("policy", "What policies decide, and what they mean", test, policyCheckCommand(), whoCanCommand(), policyDiffCommand(), coverageCommand(), policyReplayCommand())
}

// testPolicy tests one call, or those of a file.
func testPolicy(cmd *cobra.Command, _ []string) error {
	cases, err := casesOf(cmd)
	if err != nil {
		return err
	}
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	c, remove, err := withSomeDatabase(c)
	if err != nil {
		return err
	}
	cmd.SetContext(audit.WithOrigin(cmd.Context(), audit.Origin{Source: "command line"}))
	s, err := openStores(cmd.Context(), c, quiet(cmd), nil)
	if err != nil {
		return errors.Join(err, handBack(c), remove())
	}
	if cmd.Flags().Changed("file") {
		err = trying{s}.testCases(cmd, cases)
	} else {
		err = trying{s}.testCase(cmd, cases[0])
	}
	return errors.Join(err, s.end(), handBack(c), remove())
}

// withSomeDatabase returns the configuration with an empty database that remove deletes, if
// there is neither a key file nor a database yet: rules can be tested where nothing runs, and
// a test leaves nothing behind.
func withSomeDatabase(c *config.Config) (_ *config.Config, remove func() error, err error) {
	file, isFile := strings.CutPrefix(c.Database, "sqlite:")
	if c.KeysFrom != seal.FromFile || exists(c.KeysFile) || exists(c.KeysFile+".in-use") || isFile && exists(file) {
		return c, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "sfmcp-proxy-policy-test-")
	if err != nil {
		return nil, nil, fmt.Errorf("testing without a database: %w", err)
	}
	empty := *c
	empty.KeysFile, empty.Database = filepath.Join(dir, "keys"), "sqlite:"+filepath.Join(dir, "proxy.db")
	empty.KeyService = config.KeyService{}
	empty.Audit.Dir = filepath.Join(dir, "audit")
	remove = func() error { return os.RemoveAll(dir) }
	if err := seal.CreateKeyFile(empty.KeysFile); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return &empty, remove, nil
}

// trying asks the policies about calls that nobody makes.
type trying struct{ *stores }

// judge says what is decided about the call of a case.
func (s trying) judge(cmd *cobra.Command, c policyCase) (d listing.Decision, err error) {
	server, err := s.serverNamed(c.Server)
	if err != nil {
		return d, usageError{err}
	}
	p, err := s.access.Principal(cmd.Context(), server.Org, c.User, c.Client)
	if err != nil {
		return d, err
	}
	return listing.Decision{
		Decision: server.Policy.Decide(p, c.call(s.now())),
		Policy:   server.Policy.Name, Listed: server.Policy.Visible(p, c.Tool),
		Outside: !s.access.MayUse(access.Person{Org: p.Org, Subject: p.Subject, Username: p.Username}, server.Name),
	}, nil
}

// noteUnseen says that a user has not signed in: a decision is then about whoever will come
// with that name.
func (s trying) noteUnseen(cmd *cobra.Command, c policyCase) error {
	server := s.access.Server(c.Server)
	if server == nil {
		return nil
	}
	who, org := c.User, server.Org
	users, err := s.access.FindUsers(cmd.Context(), who)
	unknown, isUnknown := errors.AsType[*access.UnknownUserError](err)
	switch {
	case isUnknown && unknown.Wrong == "":
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %v; decided for whoever will come with that name\n", unknown)
		return nil
	case err != nil:
		return err
	}
	for _, u := range users {
		if u.Org == org {
			return nil
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "note: user %q has signed in, but not to org %s\n", who, org)
	return nil
}

// noteMistyped says which tool or client may have been meant by a name that nothing has here.
func (s trying) noteMistyped(cmd *cobra.Command, c policyCase) error {
	server := s.access.Server(c.Server)
	if server == nil {
		return nil
	}
	recorded, err := s.definitions.List(cmd.Context(), hostedBy(server))
	if err != nil {
		return err
	}
	var names []string
	for _, d := range recorded {
		names = append(names, definition.Called(d.Kind, d.Name))
	}
	if meant := server.Policy.Meant(c.Tool, names); meant != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: no tool %q is known of server %s%s\n", c.Tool, c.Server, meant)
	}
	if c.Client == "" {
		return nil
	}
	known, meant, err := s.knowsClient(cmd.Context(), c.Client)
	if err == nil && !known && meant != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: there is no client %q%s\n", c.Client, meant)
	}
	return err
}

// testCase prints what is decided for one call, and holds it against what is expected.
func (s trying) testCase(cmd *cobra.Command, c policyCase) error {
	d, err := s.judge(cmd, c)
	if err == nil {
		err = errors.Join(s.noteUnseen(cmd, c), s.noteMistyped(cmd, c))
	}
	if err != nil {
		return err
	}
	if err := printer(cmd).Decision(d); err != nil {
		return err
	}
	if c.Expect != "" && c.Expect != d.InForce() {
		return fmt.Errorf("%s", c.mismatch(d))
	}
	return nil
}

// testCases prints those cases of a file that are decided otherwise.
func (s trying) testCases(cmd *cobra.Command, cases []policyCase) error {
	failed := 0
	noted, named := map[[2]string]bool{}, map[[3]string]bool{} // server and user; server, tool and client
	for i, c := range cases {
		sentence := ""
		d, err := s.judge(cmd, c)
		if user := [2]string{c.Server, c.User}; err == nil && !noted[user] {
			err, noted[user] = s.noteUnseen(cmd, c), true
		}
		if names := [3]string{c.Server, c.Tool, c.Client}; err == nil && !named[names] {
			err, named[names] = s.noteMistyped(cmd, c), true
		}
		switch {
		case err != nil:
			sentence = err.Error()
		case c.Expect != d.InForce():
			sentence = c.mismatch(d)
		default:
			continue
		}
		failed++
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "case %d (line %d): %s\n", i+1, c.line, sentence); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, counted(len(cases), "case"))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s as expected\n", counted(len(cases), "case"))
	return err
}

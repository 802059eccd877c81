package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // budgets name time zones, also where the system knows none

	"github.com/spf13/cobra"

	"sfmcp-proxy/config"
)

// Exit statuses, as the contract names them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// gcPercent lets the heap grow to five times of what is in use, which is some 10 MiB. A
// call leaves 40 KiB behind, and with Go's own 100 the collector would run many times a
// second. GOGC in the environment is stronger.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// The first signal asks for an orderly end; a second one is not caught any more.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command and returns its exit status. What a command prints for
// its caller goes to out; what went wrong, one line each, goes to errOut.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var problems config.Problems
	var usage usageError
	var reported reportedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &reported):
		if more := without[reportedError](err); more != nil {
			fmt.Fprintln(errOut, "sfmcp-proxy:", more)
		}
		return int(reported)
	case errors.As(err, &problems):
		fmt.Fprintln(errOut, problems)
		fmt.Fprintf(errOut, "sfmcp-proxy: %d %s in the configuration\n", len(problems), plural(len(problems), "problem"))
		return exitUsage
	case errors.As(err, &usage):
		fmt.Fprintln(errOut, "sfmcp-proxy:", err)
		return exitUsage
	}
	fmt.Fprintln(errOut, "sfmcp-proxy:", err)
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sfmcp-proxy",
		Short: "The authorization proxy between MCP clients and Salesforce Hosted MCP",
		Long: `sfmcp-proxy stands between MCP clients (ChatGPT, Claude, any other) and Salesforce
Hosted MCP. It signs users in, decides which tool they may call with which
arguments, asks a person before a write, keeps a record of all of it, and cuts a
user off at once.

Try it: sfmcp-proxy demo

Exit status: 0 done; 1 it failed, or reached nobody; 2 wrong usage or configuration.`,
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentPreRunE = nothingEmpty
	root.AddCommand(
		demoCommand(), serveCommand(), checkCommand(), doctorCommand(), healthcheckCommand(),
		userCommand(), grantCommand(), sessionCommand(), consoleCommand(), clientCommand(), approvalCommand(), noticeCommand(), budgetCommand(),
		toolsCommand(), auditCommand(), exportCommand(), eraseCommand(), policyCommand(), stopCommand(), incidentCommand(), keyCommand(), migrateCommand(),
		reportCommand(), evidenceCommand(), reviewCommand(), reconcileCommand(),
		salesforceSimCommand(), versionCommand(), completionCommand(),
	)
	return root
}

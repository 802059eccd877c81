package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
	"sfmcp-proxy/config"
)

// usageError is a command that was called wrongly.
type usageError struct{ error }

// reportedError is the exit status of a command that has said itself what is wrong.
type reportedError int

func (e reportedError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// without is err, and what is joined in it, without each that is an E or wraps one.
func without[E error](err error) error {
	if _, is := errors.AsType[E](err); !is {
		return err
	}
	switch of := err.(type) {
	case E:
	case interface{ Unwrap() []error }:
		var rest []error
		for _, one := range of.Unwrap() {
			rest = append(rest, without[E](one))
		}
		return errors.Join(rest...)
	case interface{ Unwrap() error }:
		return without[E](of.Unwrap())
	}
	return nil
}

// usageArgs makes a wrong number of arguments a usage error (exit status 2), and says which
// is missing or too much.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		names := argumentNames(cmd.Use)
		switch {
		case cmd.HasSubCommands(): // what stands there is no argument, but an unknown command
		case len(args) < len(names):
			err = fmt.Errorf("%s needs %s", cmd.CommandPath(), strings.Join(names[len(args):], " "))
		case len(args) > len(names):
			err = fmt.Errorf("%s takes no further argument %q", cmd.CommandPath(), args[len(names)])
		}
		return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	}
}

// wrongFlag is the error about a flag that a command does not have. Where the command itself is mistyped, that is what is
// wrong: its flags are those of another.
func wrongFlag(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); cmd.HasSubCommands() && len(before) > 0 {
		err = fmt.Errorf("unknown command %q for %q", before[0], cmd.CommandPath())
	}
	return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
}

// nothingEmpty refuses an argument or the value of a flag that was given and is empty, as from a variable of a script that
// is not set: it would mean everybody, or nobody.
func nothingEmpty(cmd *cobra.Command, args []string) (err error) {
	empty := func(what string) {
		if err == nil {
			err = usageError{fmt.Errorf("%s is empty: expected a value; nothing was done (see %s --help)", what, cmd.CommandPath())}
		}
	}
	for i, arg := range args {
		if names := argumentNames(cmd.Use); strings.TrimSpace(arg) == "" {
			empty(append(names, "the last argument")[min(i, len(names))])
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			if all := list.GetSlice(); len(all) == 0 || slices.ContainsFunc(all, func(v string) bool { return strings.TrimSpace(v) == "" }) {
				empty("--" + f.Name)
			}
		} else if strings.TrimSpace(f.Value.String()) == "" {
			empty("--" + f.Name)
		}
	})
	return err
}

// argumentNames are the arguments that a usage line names: what stands between the command
// and its flags.
func argumentNames(use string) []string {
	names := strings.Fields(use)[1:]
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "-") }); i >= 0 {
		names = names[:i]
	}
	return names
}

// group is a command that only holds others. Whatever flags it is given, it says which: a
// complaint about --config would lead away from what is missing.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	var names []string
	for _, child := range children {
		names = append(names, child.Name())
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: usageArgs(cobra.NoArgs), FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("%s needs one of %s (see %s --help)", cmd.CommandPath(), strings.Join(names, ", "), cmd.CommandPath())}
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return noun
	case strings.HasSuffix(noun, "y"):
		return strings.TrimSuffix(noun, "y") + "ies"
	}
	return noun + "s"
}

const defaultConfig = "sfmcp-proxy.yaml"

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) {
	cmd.Flags().String("config", defaultConfig, "configuration file")
}

// configIgnored adds --config to a command that reads no configuration: scripts may give it to every command.
func configIgnored(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("config", defaultConfig, "taken and not read: this command needs no configuration")
	return cmd
}

// loadConfig reads the file that --config names.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return config.Load(file, os.Environ())
}

// loadPart reads the file that --config names for a command that needs these keys alone, and says what is wrong
// with others.
func loadPart(cmd *cobra.Command, needs ...string) (*config.Config, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	c, wrong, err := config.LoadPart(file, os.Environ(), needs...)
	for _, p := range wrong {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: the proxy will not start:", p)
	}
	return c, err
}

// loadForCutoff reads as much of the file as taking access away needs: somebody who has to
// be cut off is cut off also while anything else is being changed.
func loadForCutoff(cmd *cobra.Command) (*config.Config, error) {
	return loadPart(cmd, config.ForCutoff...)
}

// jsonFlag adds --json to a listing command.
func jsonFlag(cmd *cobra.Command) {
	cmd.Flags().Bool("json", false, "print one JSON object a line")
}

// printer prints what a command lists.
func printer(cmd *cobra.Command) listing.Printer {
	asJSON, _ := cmd.Flags().GetBool("json") // an error is that there is no such flag
	width, terminal := widthOf(cmd.OutOrStdout())
	return listing.Printer{Out: cmd.OutOrStdout(), Notes: cmd.ErrOrStderr(), JSON: asJSON, Width: width, Terminal: terminal}
}

// widthOf is how many characters fit into a line, and whether a terminal shows it: where none does what COLUMNS in
// the environment says, as with other programs; 0: nobody says.
func widthOf(out io.Writer) (width int, terminal bool) {
	if f, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width, true
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return width, false
	}
	return 0, false
}

// quiet is the logger of commands that print their own result.
func quiet(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// storesCommand is what a command does with what is stored.
type storesCommand func(s *stores, cmd *cobra.Command, args []string) error

// withStores adds --config to a command and runs it on the stores. The whole configuration has to be right, with its secrets:
// what gives access, sends something, or is judged by the rules.
func withStores(cmd *cobra.Command, run storesCommand) *cobra.Command {
	return onStores(cmd, loadConfig, run)
}

// withCutoff does so for a command that takes access away, or shows what there is. Where what is stored cannot be read or written,
// its error says how everything is stopped all the same.
func withCutoff(cmd *cobra.Command, run storesCommand) *cobra.Command {
	onStores(cmd, loadForCutoff, run)
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return stopWithout(cmd, inner(cmd, args)) }
	return cmd
}

// withReading does so for a command that shows what is stored. It needs no more of the configuration
// than where that is: secrets that only the running proxy is given, as by systemd, may be missing.
func withReading(cmd *cobra.Command, run storesCommand) *cobra.Command {
	return onStores(cmd, loadForCutoff, run)
}

// onStoresFor is how a command gets the stores: [withCutoff] for what takes access away, otherwise [withStores].
func onStoresFor(takesAway bool) func(*cobra.Command, storesCommand) *cobra.Command {
	if takesAway {
		return withCutoff
	}
	return withStores
}

func onStores(cmd *cobra.Command, load func(*cobra.Command) (*config.Config, error), run storesCommand) *cobra.Command {
	configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := load(cmd)
		if err != nil {
			return err
		}
		cmd.SetContext(audit.WithOrigin(cmd.Context(), audit.Origin{Source: "command line"}))
		s, err := openStores(cmd.Context(), c, quiet(cmd), nil)
		if err != nil {
			return errors.Join(notOpenedError{err}, handBack(c))
		}
		err = run(s, cmd, args)
		s.noteUnserved(cmd)
		return errors.Join(err, s.end(), handBack(c))
	}
	return cmd
}

// unservedAfter is how long no proxy may have said that it serves before a command says so: each does every minute.
const unservedAfter = 3 * servingEvery

// noteUnserved says of a command that has done something that no proxy serves on its database, where one has before: a block before
// a start is in order, and one in a copy of the database, which everything fits, reaches nobody.
func (s *stores) noteUnserved(cmd *cobra.Command) {
	if !s.audit.Acted() {
		return
	}
	served, ago, err := s.db.Served(cmd.Context(), s.now())
	if err == nil && !served.IsZero() && ago > unservedAfter {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: no proxy has served on the database %s since %s: this holds once one does; if one runs now, it is on another database\n",
			db.Config{URL: s.config.Database}.Redacted(), served.UTC().Format(time.RFC3339))
	}
}

// end closes the stores of a command. If the audit log to which it has written is not the one that the database was used
// with last, what it did may have reached nobody: the proxy may serve on another database. What only reads has done nothing
// that could reach anybody, and ends as what it has read says.
func (s *stores) end() error {
	err := closing(s.close)
	switch {
	case s.disagrees == nil:
		return err
	case !s.audit.Acted():
		s.log.Error("what was read is recorded, and no checkpoint was stored", "error", s.disagrees)
		return err
	}
	return errors.Join(err, fmt.Errorf("this was done in the database %s, on which the proxy may not serve: after a move, or where that is a copy, it reached nobody. "+
		"See which database the configuration of the running proxy names, with SFMCP_DATABASE where it is started. If it is another one, do the same again with that configuration, and acknowledge nothing here. "+
		"If it is this one, this was done, and: %w", db.Config{URL: s.config.Database}.Redacted(), s.disagrees))
}

// closing gives what closes its time.
func closing(close func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return close(ctx)
}

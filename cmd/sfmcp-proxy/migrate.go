package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/move"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

func migrateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sqlite-to-postgres", Short: "Move everything from a SQLite file to an empty PostgreSQL database", Args: usageArgs(cobra.NoArgs)}
	cmd.Long = cmd.Short + `.

End the proxy first: a file that is in use is refused. All tables are copied in one transaction and
compared with the source, row by row, before it is committed. Nobody has to sign in again: keys,
connections, Salesforce logins, blocks, the stop and waiting calls go along, and the audit log of
this machine goes on. Last, the source is marked as moved: serve and every command that opens it
then says where to, and does nothing. Nothing else in it is changed; keep it as a backup.

The configuration names the keys (keys_file) and the audit log (audit.dir); its database may be the
old or the new one. Leave the password out of URL: PGPASSWORD, or passfile=FILE in URL, has it.

--check compares the two and changes nothing.`
	cmd.RunE = migrateToPostgres
	f := cmd.Flags()
	f.String("from", "", "the file of the SQLite database")
	f.String("to", "", "the PostgreSQL database, as the key database takes it: postgres://USER@HOST/DATABASE?sslmode=verify-full")
	f.Bool("check", false, "only compare them, row by row; status 1 if they differ")
	configFlag(cmd)
	jsonFlag(cmd)
	return group("migrate", "Move to another database", cmd)
}

// migration is a move, or a comparison, of one database with another.
type migration struct {
	cmd      *cobra.Command
	config   *config.Config
	ring     *seal.KeyRing
	from, to *db.DB
	source   string // file of from
	target   db.Config
}

func migrateToPostgres(cmd *cobra.Command, _ []string) (err error) {
	m := migration{cmd: cmd, source: cmd.Flags().Lookup("from").Value.String(), target: db.Config{URL: cmd.Flags().Lookup("to").Value.String()}}
	if m.source == "" || m.target.URL == "" {
		return usageError{errors.New("expected --from FILE and --to postgres://USER@HOST/DATABASE")}
	}
	if err := m.target.Validate(); err != nil {
		return usageError{fmt.Errorf("--to: %w", err)}
	}
	if u, err := url.Parse(m.target.URL); err == nil && u.User != nil {
		if _, shown := u.User.Password(); shown {
			fmt.Fprintln(cmd.ErrOrStderr(), "note: everybody on this machine can see a password on a command line: leave it out of --to, and set PGPASSWORD or passfile=FILE")
		}
	}
	if m.config, err = loadConfig(cmd); err != nil {
		return err
	}
	if m.config.Audit.InDatabase() {
		return usageError{errors.New("audit.dir: the log of a SQLite database is a folder, and goes on as that: name it for the move. If audit.dir is database afterwards, another log begins there; close the earlier one with `audit log close`")}
	}
	defer func() { err = errors.Join(err, handBack(m.config), handBackBeside(m.source)) }()
	if m.ring, err = openKeys(cmd.Context(), m.config); err != nil {
		return err
	}
	if m.from, err = db.OpenSource(cmd.Context(), m.source); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.from.Close()) }()
	if err := m.from.BelongsTo(cmd.Context(), m.ring); err != nil {
		return fmt.Errorf("%s: %w", m.source, err)
	}
	check, _ := cmd.Flags().GetBool("check")
	if !check {
		if err := m.from.CheckMoved(cmd.Context(), m.ring); err != nil {
			return fmt.Errorf("%s: %w", m.source, err)
		}
	}
	if m.to, err = db.Open(cmd.Context(), m.target); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.to.Close()) }()
	if check {
		same, err := move.Compare(cmd.Context(), m.from, m.to)
		if err != nil {
			return err
		}
		return m.tell(same, "every row is the same")
	}
	return m.move(cmd.Context())
}

// move does it, records it in the log that goes on, and marks the source, so that nobody takes it for the database still.
func (m *migration) move(ctx context.Context) (failed error) {
	if used, err := m.to.Claimed(ctx); used || err != nil {
		return cmp.Or(err, move.ErrNotEmpty)
	}
	// With the source, which is the last that can be asked: a log that is not its log must not go
	// on with its rows.
	before, err := m.auditLog(m.from)
	if err != nil {
		return err
	}
	if err := errors.Join(before.Agree(ctx), closing(before.Close)); err != nil {
		return fmt.Errorf("nothing was moved; is %s (audit.dir) the audit log of %s? %w", m.config.Audit.Dir, m.source, err)
	}
	moved, err := move.Move(ctx, m.from, m.to)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // whoever interrupts the command now leaves no move without its entry
	if err := m.to.Claim(ctx, m.ring); err != nil {
		return err
	}
	if err := m.record(ctx, moved); err != nil {
		failed = fmt.Errorf("everything was moved, and the audit log does not have it: %w", err)
	}
	if err := m.from.MarkMoved(ctx, m.ring, m.target.Redacted()); err != nil {
		failed = errors.Join(failed, fmt.Errorf("everything was moved, and %s does not say so: set it aside, so that no command acts on it: %w", m.source, err))
	}
	if failed != nil {
		return failed
	}
	return m.tell(moved, "every row was compared")
}

func (m *migration) auditLog(with *db.DB) (*audit.Log, error) {
	return audit.New(audit.Config{Dir: m.config.Audit.Dir, Name: hostOf(m.config.PublicURL), DB: with, Ring: m.ring, Log: quiet(m.cmd)})
}

func (m *migration) record(ctx context.Context, moved []move.Table) error {
	log, err := m.auditLog(m.to)
	if err != nil {
		return err
	}
	arguments, err := json.Marshal(movedTables(moved))
	if err != nil {
		return errors.Join(err, closing(log.Close))
	}
	err = log.Agree(ctx)
	if err == nil {
		_, err = log.Append(ctx, audit.Entry{Actor: operator(""), Action: audit.StoreMigrate, Outcome: audit.OK, Source: "command line",
			Object: m.target.Redacted(), Reason: "from " + m.source, Arguments: arguments})
	}
	return errors.Join(err, closing(log.Close))
}

// movedTable is a table as programs read it, and as the audit log has it.
type movedTable struct {
	Name   string `json:"table"`
	Rows   int64  `json:"rows"`
	Digest string `json:"sha256"`
}

func movedTables(moved []move.Table) (all []movedTable) {
	for _, t := range moved {
		all = append(all, movedTable(t))
	}
	return all
}

// tell prints what was moved or compared, and what is to be done next.
func (m *migration) tell(moved []move.Table, what string) error {
	out := m.cmd.OutOrStdout()
	if printer(m.cmd).JSON {
		enc := json.NewEncoder(out)
		for _, t := range movedTables(moved) {
			if err := enc.Encode(t); err != nil {
				return err
			}
		}
		return nil
	}
	var rows int64
	for _, t := range moved {
		rows += t.Rows
	}
	_, err := fmt.Fprintf(out, "%s, %s in %s: %s\n", counted(len(moved), "table"), counted(int(rows), "row"), m.target.Redacted(), what)
	if isPostgres := (db.Config{URL: m.config.Database}).IsPostgres(); err == nil && !isPostgres {
		_, err = fmt.Fprint(out, m.next(os.Getenv(databaseVariable) != ""))
	}
	return err
}

// next says what is to be set, and where: in the environment if the variable is set here, as it counts before the file.
func (m *migration) next(byVariable bool) string {
	where, form := "in the configuration", "  database: %s\n  audit: {dir: %s}\n"+
		"where the proxy is started with the variable "+databaseVariable+", as by the unit of systemd, it counts before the file: set it there\n"
	if byVariable {
		where, form = "where the proxy is started, and in this shell, as the variable "+databaseVariable+" is set here and counts before the file",
			"  "+databaseVariable+"=%s\n  SFMCP_AUDIT_DIR=%s\n"
	}
	return "set " + where + ", with the role that is to serve (examples/postgres/roles.sql), and start the proxy:\n" +
		fmt.Sprintf(form, m.target.Redacted(), absolute(m.config.Audit.Dir))
}

// databaseVariable is the variable of the environment that counts before the key database of the file.
const databaseVariable = "SFMCP_DATABASE"

// absolute is a path that means the same wherever it is read from.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

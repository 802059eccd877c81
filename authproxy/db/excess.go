package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Excess is what the role by which we are in a database may do beyond what serving needs. SQLite has
// no roles.
type Excess struct {
	// Role is its name; "" on SQLite.
	Role string
	// Server says what it may do to other databases, roles or the server's machine: none of that is ours.
	// Whoever has the role's password, or a way to have it run SQL, has that too.
	Server []string
	// Evidence names what it may do to tables that are evidence, as "UPDATE audit_groups".
	Evidence []string
	// Schema: it may change the tables themselves. A role that brings the schema up to date has to.
	Schema bool
}

// Excess looks at what our role may do.
func (d *DB) Excess(ctx context.Context) (Excess, error) {
	e, err := d.dialect.excess(ctx, d.Reads)
	if err != nil {
		return Excess{}, fmt.Errorf("looking at what the database role may do: %w", err)
	}
	return e, nil
}

func (*sqlite) excess(context.Context, *sql.DB) (Excess, error) { return Excess{}, nil }

// farRoles are the roles of every server that reach beyond a database (PostgreSQL's manual, 21.5).
const farRoles = `'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files',
	'pg_execute_server_program', 'pg_signal_backend', 'pg_checkpoint', 'pg_maintain', 'pg_create_subscription'`

// excess counts what the role can become by SET ROLE as its own.
func (*postgres) excess(ctx context.Context, from *sql.DB) (e Excess, err error) {
	var super bool
	err = from.QueryRowContext(ctx, `SELECT CAST(current_user AS TEXT), EXISTS (SELECT 1 FROM pg_roles m WHERE m.rolsuper AND pg_has_role(current_user, m.oid, 'MEMBER')),
		has_schema_privilege(current_user, current_schema(), 'CREATE') OR EXISTS (SELECT 1 FROM pg_class c
			WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind = 'r' AND pg_has_role(current_user, c.relowner, 'MEMBER'))`).
		Scan(&e.Role, &super, &e.Schema)
	if err != nil {
		return Excess{}, err
	}
	if super { // and so everything else
		e.Server = []string{"is a superuser, or can become one"}
	} else if err := e.attributes(ctx, from); err != nil {
		return Excess{}, err
	}
	rows, err := from.QueryContext(ctx, `SELECT p.name, t.name
		FROM (VALUES ('audit_entries'), ('audit_groups'), ('audit_hashes'), ('`+versionTable+`')) AS t (name), (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS p (name)
		WHERE has_table_privilege(current_user, CAST(to_regclass(quote_ident(current_schema()) || '.' || t.name) AS oid), p.name)
		ORDER BY t.name, p.name`)
	if err != nil {
		return Excess{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var privilege, table string
		if err := rows.Scan(&privilege, &table); err != nil {
			return Excess{}, err
		}
		e.Evidence = append(e.Evidence, privilege+" "+table)
	}
	return e, rows.Err()
}

// attributes adds what a role may do to the server that is no superuser.
func (e *Excess) attributes(ctx context.Context, from *sql.DB) error {
	rows, err := from.QueryContext(ctx, `SELECT CAST(m.rolname AS TEXT), m.rolname IN (`+farRoles+`), m.rolcreaterole, m.rolcreatedb, m.rolreplication, m.rolbypassrls
		FROM pg_roles m WHERE pg_has_role(current_user, m.oid, 'MEMBER') ORDER BY m.rolname`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var far, roles, databases, replication, bypass bool
		if err := rows.Scan(&name, &far, &roles, &databases, &replication, &bypass); err != nil {
			return err
		}
		for _, may := range []struct {
			is   bool
			what string
		}{
			{far, "is a member of " + name}, {roles, "may make roles (CREATEROLE)"}, {databases, "may make databases (CREATEDB)"},
			{replication, "may copy the whole server (REPLICATION)"}, {bypass, "passes by row security (BYPASSRLS)"},
		} {
			if may.is && !slices.Contains(e.Server, may.what) {
				e.Server = append(e.Server, may.what)
			}
		}
	}
	return rows.Err()
}

// rolesFix says what to do about a role that may too much.
const rolesFix = "examples/postgres/roles.sql makes a role for the proxy alone, and evidence.sql keeps it from what is evidence"

// Problem says what the role may do to more than our own database, and what to do about it; "": nothing.
func (e Excess) Problem() string {
	if len(e.Server) == 0 {
		return ""
	}
	return fmt.Sprintf("the database role %s %s: %s", e.Role, strings.Join(e.Server, ", "), rolesFix)
}

// Note says what the role may do to evidence and schema; "": nothing.
func (e Excess) Note() string {
	var may []string
	if e.Schema {
		may = append(may, "change the schema")
	}
	if len(e.Evidence) > 0 {
		may = append(may, "change what is evidence ("+strings.Join(e.Evidence, ", ")+")")
	}
	if len(may) == 0 {
		return ""
	}
	return fmt.Sprintf("the database role %s may %s: %s", e.Role, strings.Join(may, " and "), rolesFix)
}

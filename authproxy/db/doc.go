// Package db opens the proxy's database, brings its schema up to date and seals
// what may not lie in it in the clear.
//
// All statements of the product are written by hand beside the method that needs
// them, in one dialect that SQLite and PostgreSQL share: $1 placeholders,
// ON CONFLICT, RETURNING, and the types TEXT, BIGINT and BOOLEAN. A state change is
// one conditional statement whose row count is checked, so that of two racing
// callers exactly one wins.
//
// SQLite is opened twice: [DB.Writes] has one connection whose transactions take
// the write lock when they begin (BEGIN IMMEDIATE), so writers queue in the
// process instead of failing half way; [DB.Reads] has several connections that
// see the last commit and cannot write. The journal is a WAL with
// synchronous=FULL: a commit that returned survives a power cut. What is deleted is
// overwritten in the file at once, and in the WAL by [DB.Erase]. A file with a table,
// view or trigger that the migrations do not make is not opened.
//
// Another process (the command line next to a running proxy) tells of a change
// that takes access away by raising the epoch "access" in its own transaction,
// see [RaiseAccessEpoch]; the running proxy polls it with [DB.WatchAccess].
package db

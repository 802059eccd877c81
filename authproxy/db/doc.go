// Package db opens the proxy's database, brings its schema up to date and keeps it
// together with the keys that seal what lies in it ([DB.Claim]).
//
// All statements of the product are written by hand beside the method that needs
// them, in one dialect that SQLite and PostgreSQL share: $1 placeholders,
// ON CONFLICT, RETURNING, and the types TEXT, BIGINT and BOOLEAN. A state change is
// one conditional statement whose row count is checked, so that of two racing
// callers exactly one wins.
//
// What differs between the two is a dialect (dialect.go), one file each.
//
// SQLite is opened twice: [DB.Writes] has one connection whose transactions take
// the write lock when they begin (BEGIN IMMEDIATE), so writers queue in the
// process instead of failing half way; [DB.Reads] has several connections that
// see the last commit and cannot write. The journal is a WAL with
// synchronous=FULL: a commit that returned survives a power cut. What is deleted is
// overwritten in the file at once, and in the WAL by [DB.Erase]. A file with a table,
// view or trigger that the migrations do not make is not opened.
//
// PostgreSQL has many writers. Its transactions are READ COMMITTED, because a conditional
// statement is right there as it is: whoever comes second waits for the row, looks at the
// condition again, and changes nothing. Where one statement does not decide, the rows are
// read with [DB.ForUpdate], or, where a number of rows or the absence of one decides, under
// [DB.Lock]. [DB.Tx] runs a transaction again that the server has undone for the sake of
// another. The schema is compared with what the same server makes of the migrations in
// temporary tables. The sessions of [DB.Reads] are read-only. [DB.Urgent] has a few connections for
// what must not wait behind the other writers: the pool gives a connection to any of those who wait,
// and after the server was away there are many.
//
// Another process (the command line next to a running proxy) tells of a change
// that takes access away by raising the epoch "access" in its own transaction,
// see [DB.RaiseAccessEpoch]; the running proxy polls it with [DB.WatchAccess].
//
// # Remembering what decides about access
//
// A call asks the same few rows several times. A [Cache] keeps them in memory, under the
// generation of the access epoch that was current before the row was read, and believes
// them only while that generation is current. The generation rises when a transaction of
// this process that raised the epoch ends, before its caller hears of it, so a revocation
// here holds for the next call; and when the watcher sees that another process raised it.
// The watcher looks every 50 ms; what is remembered counts for 250 ms after a look that
// succeeded, so that a revocation elsewhere holds by then even if the watcher is stuck:
// every call asks the database again. A command waits that long before it says that it is
// done. Absence and errors are not remembered, and nothing is for longer than ten seconds.
//
// What holds over several processes, and how, is in REPLICAS.md.
//
// # Rows that give something
//
// Whoever can write the database without the keys must not be able to give anything by it:
// rows that give something carry a MAC under the key ring, and one whose MAC does not fit is
// as good as absent. See [Guard], [DB.Authentic] and DESIGN.md.
package db

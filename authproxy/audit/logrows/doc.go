// Package logrows keeps the records of an audit log in rows of the database, for processes that
// have no disk which lasts. What it keeps is what package
// [sfmcp-proxy/authproxy/audit/logfile] would write into files, byte for byte: segments
// with a first line, and behind it groups of records with their length and checksum.
//
// # In the database
//
// A row of the table audit_groups is one group; the first one of a segment has the segment's first
// line besides. A row says which records it has and where in its segment it stands, and is never
// changed. Which log a process writes follows from the name of its machine: the row "audit_log NAME"
// of the table meta has the log's name.
//
// # Writing
//
// A group is one statement, which is durable when it returns. It takes effect only if the row before
// it is the one that this process has seen last, if nobody has written there, and if the log is still
// the one of this machine. Whoever loses reads what came and writes its records behind that: so
// processes that take themselves for the same machine write one log, and cannot fork it. Nothing is
// written to a log whose end was taken away.
//
// A statement whose answer is lost is looked for: each has a random id. If the database cannot be asked
// either, Append returns an error, and what it should have written may be in the log all the same.
//
// # Reading
//
// A segment is read by one statement and put together from its rows. Where they do not go on from one
// another, the segment ends with a [*logfile.Damage]; no crash leaves such a thing, so nothing is ever
// cut off.
package logrows

// Package roster knows which audit logs there are, and has each of them say what it sees of the
// others.
//
// Every process of a shared database writes an audit log of its own directory. By itself such a log
// shows what was changed in it, and not that it is missing as a whole. So each is entered into the table
// audit_logs ([Roster.Join]), with its public keys, and stays there: a replica that goes away for good has
// its log closed ([Roster.Close]), and a closed log gets nothing more. Each process looks at the roster
// every minute, and records how many entries each log of it has, and with which root, as an entry of its own
// log ([Roster.Run]): every ten minutes if there is something new, sooner if a log has grown by 1,000. Who cuts, exchanges or removes a log, or deletes or changes a row, then contradicts
// entries that others signed.
//
// [Roster.Agree] compares the roster with what the own log saw last, before anything is served and with
// each look: a row that is gone, was changed, or says that a closed log is open, a checkpoint that is
// older than what was seen, and a closed log that is written to are an [audit.Disagreement].
// [VerifyTogether] verifies copies of several logs by their public keys, each against what all of them
// say of it.
//
// A SQLite database has one log, and no roster: it knows that log by its checkpoint.
package roster

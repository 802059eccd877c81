// Package reports says of a time what happened on the proxy, for somebody who was not there: who
// used which tools, what was denied and why, what people decided, what was hidden, who read most,
// which connections nobody uses, and who changed what.
//
// A [Collector] is given the entries of the audit log, oldest first, and what the database has of
// connections; it makes one [Report]. [Report.WriteJSON], [Report.WriteMarkdown] and
// [Report.WriteHTML] write the same report; the page holds its style, no script, and nothing from
// elsewhere, and prints.
//
// Beside each number stands how it was counted, and the report says what the log does not hold:
// entries that were removed by age, gaps, people who were erased. Everything is bounded: a list
// shows the first of its rows with how many there are, and what is told apart while counting is
// told apart up to a number, and counted together beyond it.
//
// Nothing is read here and nothing is recorded: the caller does both.
package reports

// Package evidence makes one record of a call that waited for a person, from the call to what
// became of it: who asked, who looked at it, who decided, when and by which proof of who they
// are, what Salesforce answered, and which entries of the audit log say so.
//
// A [Record] is given the entries of the log that name the request ([Record.Add]), and what the
// database still has of it ([Record.AddRequest]); what neither has is said in Missing. A
// [Register] makes short records of many, from the log alone, for a table ([WriteCSV]). Nothing
// is decided here, and nothing is read: the caller does both, and records that it was read.
package evidence

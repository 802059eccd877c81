// Package records reads from the result of one of Salesforce's tools how many records it
// gives to whoever asked, and which records were read, made, changed or deleted, for the
// audit log.
//
// The answer of a tool is JSON in structuredContent, or JSON in the text of a content block,
// or neither. It is read in one pass, as it stands: where it is the text of a string, its
// quotes are found behind their backslashes, and it is not copied. What has other escapes
// that matter is written out once and read again.
//
// These shapes are known, at any depth, because the replies of Salesforce's REST API stand
// in each other (composite, batch, the dispatch tools):
//
//   - lists of records: the members records (queries, related records, child queries),
//     searchRecords, recentItems, and rows (reports). Each element is a row.
//   - a record: an object with the member attributes that names its type. Its id is its
//     member Id, or the end of its attributes' url. By itself it is a row; a parent inside of
//     a row is named and is none.
//   - what a save has come to: id with success. created, or status 201 around it, says that
//     the record is new; otherwise it is what the call does.
//   - a table: data with rowCount (Data 360).
//   - a refusal: success or isSuccess false, a status from 400 on, errorCode. What stands in
//     such an object counts nothing.
//
// Of anything else nobody counts rows; ids in it are named if their checksum holds, as what
// the call did with them.
//
// What is read is bounded: at most [Max] ids are kept, what lies deeper than a reply has
// reason to is passed over, and the time is linear in the length.
package records

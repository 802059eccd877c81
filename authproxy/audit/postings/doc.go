// Package postings finds records of one segment of the audit log without reading the
// segment: it maps terms ("subject is 005…", "tool is soqlQuery") to the ordinals of the
// records that have them, an ordinal to the place of its record, and a time to the records
// that may be of it.
//
// An index is never the truth. It lies in a file of its own beside a segment, can be made
// again from the segment at any time, and is refused ([ErrUnusable]) when it was made for
// another segment, for another state of this one, or when a byte of it was changed. What
// [Index.Search] returns are candidates: a term is kept as a hash of 64 bits, so the caller
// reads each record and compares it with what was asked for.
//
// A [Builder] is the index of the segment that is being written. It is searched like a
// file, by any number of readers while one writer adds; [File.Write] makes the file of it,
// [File.Open] reads that file in pages as they are needed, and [File.Load] takes one up again
// to add what was written since.
//
// With a key, nobody who lacks it can make or change a file so that it hides a record.
// Without one the file is protected against accidents alone.
//
// Terms of values that a person chose or that name a person should be made of the pseudonym
// that stands in the record: whoever has the file can test a guess against the hashes.
package postings

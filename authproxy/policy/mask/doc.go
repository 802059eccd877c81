// Package mask hides fields in the answers of Salesforce's tools, and bounds the records in
// them.
//
// [New] makes a [Hiding] of patterns like Contact.SSN__c. A [Reader] then rewrites one answer:
// values of masked fields are replaced by others of the same JSON type, members of dropped
// fields are taken out, lists are cut after as many records as are allowed. Everything else
// stays byte for byte, numbers and white space included.
//
// # How a value is known to be of a field
//
// A record says what it is: its member attributes names its type, and by that and its own
// name a member is a field, at any depth: in lists, as the parent of another record, below
// TYPEOF, as an element of a child query. What a query answers under another name is known from
// the query ([Asked]). A compound says its parts (MailingAddress.street is MailingStreet).
// In an object of which nobody says what record it is, as Apex actions answer it, members
// are hidden by their names alone, whatever the object (see [looseNames]).
//
// # What cannot be read
//
// An answer is withheld as a whole where nobody can tell which of its values are of hidden
// fields: texts that are not one JSON value without duplicate names, lists of records that
// do not say what they are, tables. The errors say which, and hold nothing of the answer.
//
// # Queries
//
// A query that chooses, sorts, groups or counts by a hidden field tells its values without
// answering them. [Hiding.Reaches] says of a field whether anything of it is hidden.
package mask

// Package preview asks what Salesforce has at the moment, for whoever decides about a call that
// would change it.
//
// [Of] makes one query of a call of the standard record tools: the record that an update or a
// delete names, with the fields that the update sets and with what hangs on the record that would
// be deleted, or the records that have the name which a create gives already. [NamesOf] asks what
// the records are called that values name by their ids. [Read] takes the records out of the
// answer. Nothing here decides or sends: names that stand in a query are API names and ids by
// their letters, texts are quoted, and the query is judged by the policy like one of a client's.
package preview

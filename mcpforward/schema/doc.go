// Package schema remembers what orgs said of their own objects, for understanding calls: where
// custom relations lead, and what formulas and compounds show.
//
// [Store.Learn] takes what the answer to getObjectSchema told one user, [Store.For] returns all
// that may be used for a call of one, as a [reach.Schema], which says how. What one user was
// told resolves names for this user alone; what comes to the standard for everybody is the
// union over the users of the org.
//
// It is memory only: a restart and a reload begin anew. What a user was told counts for five
// minutes, so that a change in Salesforce and of the user's permissions counts then at the
// latest, and [Store.Forget] drops it; the union counts for a day. Objects, users and bytes are bounded;
// beyond that relations lead nobody knows where, as if nothing had been told.
package schema

// Package soql reads queries of SOQL and searches of SOSL, the two query languages
// of Salesforce, and returns what they name.
//
// It knows the languages and nothing of any org: which object stands behind the
// relation Owner, and whether a query may be made, is the business of package
// policy. It opens nothing and keeps nothing.
//
// # The tree
//
// [ParseQuery] returns a [Query]: its sources, every field that one of its clauses
// names, with the clause, the functions around it and its alias, and the queries inside
// it. What a condition compares with (values,
// operators, AND and OR) is checked and not kept: it changes which records are
// answered, never which objects and fields are read, and a tree of it would cost an
// allocation for each of up to 100,000 bytes of conditions. [ParseSearch] returns a
// [Search], whose returned objects have the form of queries.
//
// [WithLimit] and [SearchWithLimit] give a text another LIMIT and read it once more, to
// prove that nothing else of it has changed.
//
// # What is refused
//
// Salesforce decides what a query means, so a query is read only if no other reading
// of it is plausible. Refused are comments, double quotes, semicolons, bind
// variables, control characters and characters outside ASCII (but in strings),
// escapes whose meaning depends on when they are decoded, and clauses that are not
// in the grammar here. Reading takes time linear in the length of the query, which
// [MaxLength] bounds, and its depth is bounded too.
//
// # Errors
//
// Every error is an [*Error]. It says why ([ErrTooLong], [ErrCharacter],
// [ErrSyntax]) and where, as an offset in bytes, and never repeats the query: it may
// be logged.
package soql

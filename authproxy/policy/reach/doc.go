// Package reach reads from a call what it does and what it reaches: its effect class, the
// records, objects and fields, each with the place in the call that leads there, and a bound
// on the records of its answer. It is pure; it decides nothing and knows no rules.
//
// A [Catalogue] is what is known of the tools of one hosted server; [Catalogue.Read] makes the
// [Value] of a call. What cannot be determined is marked, never guessed: a relation that the
// [Schema] does not know leads to [UnknownObject]. Arguments that cannot be read are refused
// with a sentence that repeats nothing of them. A [Schema] knows the standard and, as [Description],
// what an org said of its own objects.
//
// Rules, conditions, masks, budgets and the audit log are all about the same Value, which is
// read once for a call. What the answer of a query will hold is told by [Value.Selections],
// apart from the fields that only decide which records are answered.
//
// Where the values of one record can be seen in another is known here as well ([Schema.AppendShown]); what
// a denial makes of that is the policy's business.
package reach

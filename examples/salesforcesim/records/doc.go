// Package records is what the simulated Salesforce knows: the objects of an org, its
// records, and the query engine over them. It has no HTTP and imports nothing of the
// product, least of all the product's own parser of SOQL: two parsers of one language
// that share nothing find each other's mistakes.
//
// A [Store] is one org. [Store.Do] lends it to one user as a [View]; everything that a
// View answers obeys the user's object permissions and field-level security, and everything
// that it refuses carries Salesforce's error code ([Error]).
//
// # Queries
//
// [View.Query] takes SOQL: aliases, parent paths of at most five levels, child queries,
// semi-joins, TYPEOF, FIELDS, USING SCOPE, WITH SECURITY_ENFORCED, USER_MODE and DATA
// CATEGORY, GROUP BY with ROLLUP, CUBE and HAVING, ORDER BY with NULLS, LIMIT, OFFSET,
// FOR VIEW and FOR REFERENCE, UPDATE TRACKING and VIEWSTAT, ALL ROWS; COUNT,
// COUNT_DISTINCT, SUM, AVG, MIN, MAX, GROUPING, the date functions, DAY_ONLY, FORMAT,
// toLabel, convertCurrency, convertTimezone, DISTANCE; every date word; amounts such as
// EUR5000. [View.Search] takes SOSL with AND, OR, NOT, parentheses, phrases and wildcards,
// RETURNING with conditions, WITH and UPDATE clauses.
//
// A statement goes through lex.go and parse*.go (text to syntax.go), bind*.go,
// expression.go and where.go (names to what the user may see), and run.go and group.go
// (records to the answer).
//
// Sharing is not simulated: who sees an object sees all of its records. Times are UTC and
// the fiscal year is the calendar year. Some fields of the custom objects (planSchemas)
// would not exist on a real object of that kind; they are there so that statements about
// each kind are answered.
package records

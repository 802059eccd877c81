// Package analysis says what policies mean before any call is made: which rules can never
// decide, who may do what, and what a new version would change.
//
// # How
//
// Rules are a finite list of keys with finite lists of values, so what they can tell apart is
// finite too. A [Server] is split into groups that none of its rules tells apart: groups of
// users, of clients and of tools, and targets, which are what a call may reach (a named
// object, any other, one that cannot be determined, a named field, whole records, more or
// fewer records than a max_rows). One member of each stands for all, and the policy itself is asked
// about it ([policy.Policy.Outcomes]): the analysis has no reading of rules of its own.
//
// Where a rule has a condition, both answers are followed, and what is said is marked as
// depending on it.
//
// # What it costs
//
// A case takes some microseconds. Hundreds of groups with rules of their own make millions of
// cases: who has not been asked for an analysis makes none of more than [Quick], see [Size].
//
// # What it does not see
//
// Calls on several objects are tried for pairs, and for all objects of one rule together.
// Patterns stand for one name that matches them and no other. A user who is listed by id in one place and by
// user name in another counts as two. None of this makes a decision: it is for people who
// change rules.
package analysis

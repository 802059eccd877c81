// Package review says, for people who answer for access, who has it and whether they use it: one
// [Item] for each person and server, with the tools that they called in a time and those that they
// could have called and did not, and what was decided about it.
//
// A review has no table. That it began, each of its items and each decision are entries of the
// audit log; a [Reader] makes reviews of them. So a review cannot be changed afterwards, an item is
// what it was when the review began, and what it says about a person is erased with them. A decision
// can be taken again: the last one stands, and all are on record. What was ended does not come back
// by that.
//
// A process reads its own audit log alone. Where several replicas share a database, what others called is not in a
// review, which names their machines ([Scope].OtherLogs) and then proposes no tool. When a connection was last used the
// database knows for all of them: [Review.Idle] goes by that, too, so nothing that was used through another replica is
// taken for unused.
//
// [Review.Proposal] says what the rules could do without: tools that nobody in the review called, and
// members of groups whose access was ended. It proposes; nothing is changed.
//
// What begins a review and takes decisions is authproxy.Reviews.
package review

// Package review says, for people who answer for access, who has it and whether they use it: one
// [Item] for each person and server, with the tools that they called in a time and those that they
// could have called and did not, and what was decided about it.
//
// A review has no table. That it began, each of its items and each decision are entries of the
// audit log; [Read] makes a review of them. So a review cannot be changed afterwards, an item is
// what it was when the review began, and what it says about a person is erased with them. A decision
// can be taken again: the last one stands, and all are on record. What was ended does not come back
// by that.
//
// [Proposal] says what the rules could do without: tools that nobody in the review called, and
// members of groups whose access was ended. It proposes; nothing is changed.
//
// What begins a review and takes decisions is authproxy.Reviews.
package review

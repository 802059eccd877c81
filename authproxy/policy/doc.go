// Package policy decides whether a call may pass: allow, confirm or deny.
//
// It is pure. It opens nothing, keeps nothing between calls and knows nothing of
// HTTP; it sees who calls ([Principal]) and what ([Call]) and answers a
// [Decision] by the rules of one [Policy].
//
// # How a call is judged
//
//  1. What does it do, and what does it reach? Package reach reads that from the tool's
//     name and the arguments, as a value: the effect [Class], objects and fields with
//     their places in the call, and a bound on the records answered. A tool that the
//     catalogue does not know is [Unknown], which no rule for another class covers: write
//     `unknown` to let it pass, and write it beside `delete` to keep it out. What
//     the upstream says about its own tools is never asked. Arguments that cannot be read
//     are refused, whatever the rules say and in every mode.
//  2. Which of its keys does a rule have? They are rows of the table in keys.go.
//  3. Which rule is first? Rules are read from the top; a rule matches if each of
//     its keys matches; the first match decides; no match denies. All rules are compiled
//     into one index of objects and fields (index.go), so that what a call reaches is
//     looked up, and not compared with every rule.
//     A call that carries others is judged by each of them (parts.go).
//  4. What must happen besides? [Obligations] are collected over all rules that the call
//     touches, so that the order of rules never shows what one of them hides.
//
// # Absence denies
//
// A deny rule with objects or fields also matches a call whose objects cannot be
// determined; an allow or confirm rule matches only if everything reached is known
// and listed. A deny rule with classes also matches a call that says itself that it is of
// one of them: `deny delete` holds a bulk job that deletes, and the deletion of a sharing rule, whose
// class is admin ([reach.Value.Besides]). `confirm delete` has people asked about such a call where a later rule
// would let it pass without a person; it lets nothing pass that no other rule does. A deny rule by user name also matches a user whose
// name is not known yet. Relations that the schema does not know reach [UnknownObject]. A denial also holds where the same records are
// seen through other objects, histories and lists of recent records for instance
// ([reach.Schema.AppendShown]). A call that touches no records at all
// (getUserInfo, which says who calls) matches neither kind.
//
// # Lists
//
// [Policy.Visible] answers whether some call of a tool could pass, for filtering
// lists; it never hides what [Policy.Decide] would let pass. [Decision.Hidden] is
// its negation, so that a hidden tool and an unknown one get the same answer.
//
// # Not here
//
// Reading configuration (package config), holding calls for approval (package
// approval), quarantine of changed definitions and kill switches (mcpforward).
// Roles of approvers are checked for their syntax only.
package policy

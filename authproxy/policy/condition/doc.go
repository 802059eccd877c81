// Package condition evaluates the `when` of rules: one expression in CEL (the Common Expression
// Language, cel.dev) about a call and the moment at which it is made.
//
//	when: principal.username.endsWith("@acme.example") && source.in_network("10.0.0.0/8")
//	when: class == "update" && !during("change-freeze")
//	when: reaches("Opportunity") && rows > 200
//
// # What an expression may speak of
//
//   - principal.org, principal.subject, principal.username, principal.client: strings;
//     principal.groups: a list of strings. The name of a user is an error where it is not known
//   - source: the network address of the client, a string; source.in_network("CIDR"). It is an
//     error where the address is not known
//   - server, tool, class: strings; rows: the most records that the call may answer, an int
//   - arguments: a map of the call's arguments; has(arguments.NAME) and "NAME" in arguments ask
//     whether one is there. It and objects within it find members by names in any case, as Salesforce
//     does; two that differ in case alone are an error. Texts are compared as they are written. Of a
//     request that another carries they are its own, as dispatch would have them
//   - now: a timestamp; now.getHours("Europe/Berlin"), now.getDayOfWeek("Europe/Berlin"), and
//     without a zone in UTC
//   - reaches("OBJECT"), field("OBJECT.FIELD"): whether the call reaches an object or a field,
//     by name or glob; they take the place of loops over what a call reaches
//   - during("CALENDAR"): whether now is in a calendar of the configuration
//
// # Bounds
//
// Types are checked and the cost is bounded when a policy is read, with sizes that are ours
// (64 groups, 1 MiB of arguments): what has no bound, or one above [MaxCost], is refused then,
// so that evaluating needs no counter. Names of calendars, time zones, networks, objects and
// fields are literals and are checked then, too. Arguments are read when the first expression asks
// for them, once a call, and only if they hold at most 20,000 values at all depths: beyond, such
// an expression is an error.
//
// Measured on two virtual cores at 2.6 GHz (go test -bench Holds): 0.1 to 0.3 µs and at most 2
// allocations for an expression about caller, network, moment, calendar or what a call reaches; 0.3 µs
// and 3 allocations for one that compares a member of arguments that hold eight and were read before,
// as those of every call are, 1.3 µs where they were not; 2 to 5 ms for a megabyte of arguments.
//
// # Errors
//
// What cannot be evaluated (an argument that is not there, an object that cannot be
// determined) is an error, and the call is denied: no further rule is asked. An error names
// no values.
package condition

// Command mutants breaks the defences of sfmcp-proxy one at a time and asks the tests
// whether they notice. A change that no test notices is a missing test.
//
//	go run ./examples/mutants                          # 200 mutants, spread over the deciding packages
//	go run ./examples/mutants -n 12                    # a glance
//	go run ./examples/mutants -packages authproxy/grant -n 60
//	go run ./examples/mutants -run authproxy/grant/codes.go:redeem:operand:2
//	go run ./examples/mutants -list -n 100000          # every mutant there is, without running any
//
// -seed draws other mutants; the same seed draws the same ones as long as the source is the
// same. The command fails where less than 97 % are killed.
//
// # What a mutant is
//
// One edit of one file of the product, as somebody in a hurry could make it:
//
//	let         a check that ends in return, continue or break never applies
//	negate      such a check applies to everybody else
//	operand     one condition of several is no longer asked for
//	connective  && becomes ||, or the reverse
//	equality    == becomes !=, or the reverse
//	bound       < becomes <=, > becomes >=, and the reverse
//	constant    a bound becomes twice as large, a 0 or 1 one larger
//	condition   one condition of a WHERE in an SQL statement is no longer asked for
//	error       a function returns nil in the place of its error
//	verdict     a function returns true in the place of false, or the reverse
//	drop        a statement that revokes, erases, records, counts or closes is left out
//
// Arithmetic, texts and logging are left alone: they decide nothing. So are checks of
// errors that only a broken machine gives (database, disk, source of randomness); tests of
// faults hold those, each for its store.
//
// Edits are made so that the program still compiles: a condition that is not asked for any
// more becomes "false && (…)" or, in SQL, "(TRUE OR …)", and so still uses its variables
// and parameters. What does not compile all the same is no mutant, and another is drawn.
//
// # How it runs
//
// The tree is not touched: the changed file is given to the go command with -overlay. A
// mutant first meets the tests of its own package, then those of the packages that import
// it directly, as far as they take seconds; the first test that fails ends it. A run that
// hangs counts as killed and is listed. Two mutants run at a time.
//
// Some edits change nothing that anybody could observe. They are in equivalent.txt, each
// with its line and its reason, and count neither way. DESIGN.md has the score.
package main

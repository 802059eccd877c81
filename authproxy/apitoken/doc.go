// Package apitoken keeps the bearer tokens of programs that use the security team's API, and
// the answers to what they did, for a request that comes again.
//
// A token has one role and an end, and is made by an operator at the command line alone: with
// a token nobody makes another. It is random text of 256 bits behind the prefix sft_, by which
// scanners of source and logs know it; the database has its SHA-256, and a MAC of its row
// (package db), so that whoever writes into the database without the keys makes no token and
// prolongs none. A use asks the database every time: one that is revoked opens nothing from the
// next request on, in every process.
//
// A request that changes something can carry a key of its own ([Replays]). When it comes again,
// because the answer was lost, it gets the same answer and nothing is done twice.
//
//	token.go    creating, using, listing, revoking
//	replays.go  answers by key
package apitoken

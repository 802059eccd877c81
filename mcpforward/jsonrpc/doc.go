// Package jsonrpc reads and writes single JSON-RPC 2.0 messages, strictly.
//
// A policy is bypassed where two parsers disagree about one body: the first takes
// the first of two "name" members, the second the last; one matches "Name" to
// name, the other does not. So a body is parsed once, here, and only if there is
// nothing to disagree about. [Decode] accepts one object of RFC 8259 in UTF-8
// and nothing else: no byte order mark, no lone surrogates, no second value, no
// batch, no duplicate names at any depth (compared after unescaping), no nesting
// below [MaxDepth], no unknown member beside the protocol's own, no null or
// fractional id, no params other than an object. A member name that is not a
// protocol name but looks like one to a lenient reader (other case, U+017F for s,
// full-width letters, NUL, zero-width characters, spaces around it) is refused
// where the protocol reads names; control characters in a name, and invisible
// ones at its ends, are refused everywhere.
//
// What [Decode] returns is the parse itself: parameters without white space, with
// strings in their shortest form and numbers exactly as written. Decision,
// approval, audit and the bytes that [Encode] writes for Salesforce all come from
// it. Only the id keeps its bytes as received, because it is echoed.
//
// Nearly every text is plain, and read in one pass over its bytes (plain.go). Whatever is
// not, is read by package jsontext, which alone decides what is refused; a fuzz test holds the
// two together.
//
// [Object] reads and changes the members of one object in order, without decoding
// what it does not touch. [Canonical] is the form under digests.
//
// The package does not know methods, does not check parameters against them and
// does no I/O; callers bound the size of what they pass in.
package jsonrpc

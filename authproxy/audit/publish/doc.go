// Package publish carries signed checkpoints of the audit log to places that whoever holds
// this machine cannot put back along with it: a file on another mount ([NewFile]), a URL
// ([NewURL]), a bucket with object lock ([NewS3]).
//
// A [Publisher] gives each place the newest checkpoint, from a goroutine of its own: it waits
// for no place when it is given one, and a place that is down gets the newest when it is back,
// not all that it missed. [Publisher.States] says how each is doing. At start, before anything
// is appended, [Publisher.Latest] reads back what the places have, so that a log that is
// shorter than one of them, or contradicts it, is noticed.
//
// The package neither makes nor verifies checkpoints, and does not decide what follows.
package publish

package packing

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
)

// Config is what a [Maker] packs. All fields are required but Most and Now.
type Config struct {
	Audit  *audit.Log
	Grants *grant.Store
	Humans oversight.Humans // find whom somebody names
	// Record is the record of one call that waited. It says in the log that it was read.
	Record func(ctx context.Context, by approval.Decider, id string) (*evidence.Record, error)
	// Connections and Waited write what the database has of users: their connections, and their
	// calls that waited, without arguments.
	Connections, Waited func(ctx context.Context, of []grant.User, w io.Writer) error
	Version             string // of the program
	// Scratch are directories where archives for answers are made: in the first that can be written.
	Scratch []string
	Most    int              // entries of a pack for an answer; 0: [MostAnswered]
	Now     func() time.Time // nil: time.Now
}

// Maker makes packs. It is safe for concurrent use.
type Maker struct {
	Config
	busy   sync.Mutex   // held while an archive for an answer is made
	opened atomic.Int32 // archives that lie on the disk
}

// New returns the maker of c, or an error that names what is missing.
func New(c Config) (*Maker, error) {
	if c.Audit == nil || c.Grants == nil || c.Humans.Audit == nil || c.Record == nil || c.Connections == nil || c.Waited == nil || c.Version == "" || len(c.Scratch) == 0 {
		return nil, errors.New("packs of evidence: audit, grants, humans, record, connections, waited, version and scratch are required")
	}
	if c.Most == 0 {
		c.Most = MostAnswered
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Maker{Config: c}, nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
)

// verified is a log that is sound, for programs. Of one that is not there is an error, and the exit status 1.
type verified struct {
	Log         string `json:"log"` // its name; empty: it has not begun
	Sound       bool   `json:"sound"`
	First       int64  `json:"first"` // entry that is there
	Last        int64  `json:"last"`
	Signed      int64  `json:"signed"`      // last entry that a checkpoint signs
	Checkpoints int    `json:"checkpoints"` // that fit
	Observed    int    `json:"observed"`    // how often other logs saw of it what fits
	Before      int64  `json:"verified_before,omitempty"`
	WentBack    int    `json:"clock_went_back"` // how often
	Torn        int64  `json:"torn_bytes"`      // behind the last entry, of a write that goes on, or that was cut off
}

// fitting is what is said of a log that was not read, or of a place of checkpoints, for programs.
type fitting struct {
	Log   string `json:"log,omitempty"`
	Host  string `json:"host,omitempty"`
	Place string `json:"place,omitempty"`
	Fits  bool   `json:"checkpoint_fits"`
	Lacks int64  `json:"lacks_entries,omitempty"` // that the newest checkpoint here has, and the place's has not
	Found string `json:"found"`
}

// tellFitting prints it: text to people, f to programs.
func tellFitting(cmd *cobra.Command, text string, f fitting) error {
	if printer(cmd).JSON {
		return encode(cmd, f)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// encode prints an object for programs.
func encode(cmd *cobra.Command, object any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(object)
}

// tellVerified prints what was verified. That the log is broken says the first entry first.
func tellVerified(cmd *cobra.Command, seen audit.Verified, err error) error {
	if err != nil {
		return err
	}
	if printer(cmd).JSON {
		return encode(cmd, verified{seen.Origin, true, seen.First, seen.Last, seen.Signed, seen.Checkpoints, seen.Observed, seen.Before.Size, seen.Back.Times, int64(seen.Torn)})
	}
	if seen.Last == 0 {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "0 entries: the log has not begun")
		return err
	}
	n := seen.Last - max(seen.First, 1) + 1
	text := fmt.Sprintf("%d %s, all sound", n, entries(n))
	if seen.Before.Size > 0 {
		text = fmt.Sprintf("entries %d to %d, all sound; those up to %d were verified at %s, and older segments were not read again",
			seen.First, seen.Last, seen.Before.Size, seen.Before.At.Format(time.RFC3339))
	} else if seen.First > 1 {
		text += fmt.Sprintf("; entries 1 to %d were removed by age", seen.First-1)
	}
	text += fmt.Sprintf("; log %s, %d signed checkpoints fit", seen.Origin, seen.Checkpoints)
	if seen.Observed > 0 {
		text += fmt.Sprintf(", and what logs saw of it at %d times", seen.Observed)
	}
	if back := seen.Back; back.Times > 0 {
		often := "once"
		if back.Times > 1 {
			often = fmt.Sprintf("%d times", back.Times)
		}
		text += fmt.Sprintf("; the clock went back %s, by %s at most, first at entry %d", often, back.Most.Round(time.Second), back.First)
	}
	if seen.Torn > 0 {
		text += fmt.Sprintf("; behind the last entry stand %s that are no whole group: of a write that goes on, or that was cut off", counted(int(seen.Torn), "byte"))
	}
	if unsigned := seen.Last - seen.Signed; unsigned > 0 {
		text += fmt.Sprintf("; nobody has signed the last %d yet", unsigned)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// tellLost says that keys of people are missing. It is an error unless somebody acknowledged since that the database was
// put back. Whom the database has as erased another log may say so of.
func (s *stores) tellLost(cmd *cobra.Command, lost audit.LostKeys) error {
	logs, err := s.roster.Logs(cmd.Context())
	if len(logs) > 1 {
		lost.Emptied = 0
	}
	if err != nil || lost.People+lost.Emptied == 0 {
		return err
	}
	if lost.Fresh {
		return errors.New(lost.String())
	}
	_, err = fmt.Fprintf(besides(cmd), "%s; somebody has acknowledged since that the log and the database did not agree\n", lost)
	return err
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/ui"
)

// evidenceVerifyCommand checks a pack: with --key where nothing else of the proxy is, without it by
// the keys of the configuration's log.
func evidenceVerifyCommand() *cobra.Command {
	cmd := withReading(&cobra.Command{Use: "verify PACK", Short: "Check a pack of evidence with the public key of the log alone", Args: usageArgs(cobra.ExactArgs(1)),
		Long: `verify needs no configuration, no database and no secret: the pack, a directory or an archive, and
with --key the public key of the log as 'audit key' printed it, which you have by another way than
the pack. Without --key it takes the keys of the configuration's log.
Exit status 1, with the first thing that is wrong, if anything was changed, left out or added.`},
		func(s *stores, cmd *cobra.Command, args []string) error {
			keys, err := s.audit.Keys()
			if err != nil {
				return err
			}
			return verifyEvidence(cmd, args[0], strings.Join(keys, "\n"))
		})
	own := cmd.RunE
	jsonFlag(cmd)
	cmd.Flags().String("key", "", "the log's public key, or a file that holds it, after rotations all of them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := keyOf(cmd.Flags().Lookup("key").Value.String())
		switch {
		case err != nil:
			return err
		case key != "":
			return verifyEvidence(cmd, args[0], key)
		}
		return own(cmd, args)
	}
	return cmd
}

// verifiedPack is a pack that is sound, for programs. Of one that is not there is an error, and the exit status 1.
type verifiedPack struct {
	Sound   bool      `json:"sound"`
	About   string    `json:"about"`
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Entry   int64     `json:"entry"` // of the log, which holds the SHA-256 of the manifest
	Log     string    `json:"log"`
	Proven  int64     `json:"proven_to"` // entry
	First   int64     `json:"first"`
	Last    int64     `json:"last"`
	Entries int64     `json:"entries"`
	Whole   bool      `json:"whole"` // every entry between the first and the last
	Files   int       `json:"files"`
	Missing []string  `json:"missing"` // as the pack itself says
}

func verifyEvidence(cmd *cobra.Command, path, key string) error {
	v, err := pack.Verify(path, key)
	if err != nil {
		return fmt.Errorf("%s is not what the log says: %w", path, err)
	}
	m := v.Manifest
	if printer(cmd).JSON {
		return encode(cmd, verifiedPack{true, m.About, m.Created, m.By, v.Bound, m.Log.Origin, m.Log.Size, m.Entries.First, m.Entries.Last, m.Entries.Count, m.Entries.Whole, len(m.Files), append([]string{}, m.Missing...)})
	}
	which := fmt.Sprintf("entries %d to %d", m.Entries.First, m.Entries.Last)
	switch {
	case m.Entries.Count == 0:
		which = "no entry"
	case m.Entries.Whole:
		which += ", every one of them"
	default:
		which = fmt.Sprintf("%d of the %s", m.Entries.Count, which)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "sound: %s\nmade: %s by %s, entry %d of the log %s\nentries: %s, proven up to entry %d; the log began with entry %d then\n",
		ui.Printable(m.About), m.Created.Format("2006-01-02T15:04:05Z07:00"), ui.Printable(m.By), v.Bound, ui.Printable(m.Log.Origin), which, m.Log.Size, m.Log.Oldest)
	fmt.Fprintf(out, "files: %d, as the manifest says; what %s says about people is bound by the manifest, not by a proof\n", len(m.Files), pack.ReadableFile)
	for _, what := range m.Missing {
		fmt.Fprintf(out, "missing, as the pack itself says: %s\n", ui.Printable(what))
	}
	return nil
}

// keyOf is a public key that is given, or lies in a file of that name.
func keyOf(text string) (string, error) {
	content, err := os.ReadFile(text)
	if err == nil {
		return string(content), nil
	}
	if text != "" && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("--key: %w", err)
	}
	return text, nil
}

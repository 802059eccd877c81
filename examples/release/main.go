// Command release says of programs that were built what is in them and how they were made: a
// software bill of materials of each as CycloneDX 1.6 and as SPDX 2.3, and one provenance statement
// (in-toto Statement v1, SLSA provenance v1) for all. It reads what the Go linker wrote into each
// program and asks nobody else, so the same programs give the same documents.
//
//	go run ./examples/release -version 0.2.0 -commit COMMIT -time 2026-11-29T12:00:00Z -out DIR PROGRAM…
//
// Beside DIR/NAME.cdx.json and DIR/NAME.spdx.json of each program stands DIR/provenance.json. The
// script .ci/release calls it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// release is what is said of all programs.
type release struct {
	version string // without a leading v
	commit  string // of git
	source  string // URI of the repository; may be empty
	builder string // URI of who built (SLSA builder.id)
	made    time.Time
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	var r release
	var at, out string
	flags.StringVar(&r.version, "version", "", "version of the release, such as 0.2.0")
	flags.StringVar(&r.commit, "commit", "", "commit that was built")
	flags.StringVar(&at, "time", "", "time of that commit, RFC 3339")
	flags.StringVar(&r.source, "source", "", "URI of the repository, such as https://git.example.com/sfmcp-proxy")
	flags.StringVar(&r.builder, "builder", "urn:sfmcp-proxy:builder:local", "URI of who builds (SLSA builder.id)")
	flags.StringVar(&out, "out", ".", "folder for the documents")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.made, err = time.Parse(time.RFC3339, at); err != nil {
		return fmt.Errorf("-time: %w", err)
	}
	if r.version == "" || r.commit == "" || flags.NArg() == 0 {
		return errors.New("usage: release -version V -commit C -time T [-out DIR] PROGRAM…")
	}
	r.made = r.made.UTC()
	var all []program
	for _, file := range flags.Args() {
		p, err := readProgram(file)
		if err != nil {
			return err
		}
		base := filepath.Join(out, p.name)
		if err := errors.Join(write(base+".cdx.json", r.cycloneDX(p)), write(base+".spdx.json", r.spdx(p))); err != nil {
			return err
		}
		all = append(all, p)
	}
	return write(filepath.Join(out, "provenance.json"), r.provenance(all))
}

// write writes a document as JSON, for people too.
func write(file string, document any) error {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

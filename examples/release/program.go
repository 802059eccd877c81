package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// program is one that was built, and what the linker wrote into it.
type program struct {
	name     string // of the file
	sha256   [sha256.Size]byte
	path     string // of its main package
	main     component
	parts    []component       // the standard library, and the modules in the order of their paths
	settings map[string]string // of the build: GOOS, -tags …
}

// component is a Go module, or the standard library, at a version.
type component struct{ path, version, sum string } // sum is the h1: of go.sum; "" where there is none

const standardLibrary = "std"

func readProgram(file string) (p program, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	p = program{name: filepath.Base(file), sha256: sha256.Sum256(content), path: info.Path, main: component{info.Main.Path, info.Main.Version, ""}, settings: map[string]string{}}
	goVersion, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ") // " X:…" names experiments
	p.parts = append(p.parts, component{path: standardLibrary, version: goVersion})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p.parts = append(p.parts, component{m.Path, m.Version, m.Sum})
	}
	for _, s := range info.Settings {
		p.settings[s.Key] = s.Value
	}
	return p, nil
}

func (p program) digest() string { return hex.EncodeToString(p.sha256[:]) }

// purl is the package URL: type golang, in lower case (package-url/purl-spec, golang).
func (c component) purl() string {
	segments := strings.Split(strings.ToLower(c.path), "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "pkg:golang/" + strings.Join(segments, "/") + "@" + strings.ReplaceAll(url.PathEscape(c.version), "+", "%2B")
}

// dirHash is the sum as in-toto has it, in hexadecimal (in-toto/attestation, digest_set: dirHash).
func (c component) dirHash() (text string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.sum, "h1:"))
	return hex.EncodeToString(raw), err == nil && len(raw) == sha256.Size
}

// download is where the module comes from, "" for the standard library.
func (c component) download() string {
	path, err := module.EscapePath(c.path)
	version, versionErr := module.EscapeVersion(c.version)
	if err != nil || versionErr != nil || c.path == standardLibrary {
		return ""
	}
	return "https://proxy.golang.org/" + path + "/@v/" + version + ".zip"
}

// released is the main module at the version of the release, which the linker does not know.
func (r release) released(p program) component {
	return component{path: p.main.path, version: "v" + r.version}
}

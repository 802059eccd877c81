package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// ST-12: nothing of the product takes its randomness from math/rand, whose numbers can be
// told from each other and repeat in a copy of the machine. The simulated Salesforce may:
// its ids are to be reproducible.
func TestST12NoForeseeableRandomness(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files := 0
	for _, tree := range []string{"cmd", "config", "authproxy", "mcpforward"} {
		err := filepath.WalkDir(filepath.Join(root, tree), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			files++
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, imported := range f.Imports {
				if strings.HasPrefix(imported.Path.Value, `"math/rand`) {
					t.Errorf("%s imports %s", file, imported.Path.Value)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("%d files were read", files)
	}
}

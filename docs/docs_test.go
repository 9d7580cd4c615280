// Package docs checks the repository's documents.
package docs

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// link matches an inline link or image of Markdown: its target, without a title or a fragment.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// TestDocsLinksLeadSomewhere follows each relative link between documents.
func TestDocsLinksLeadSomewhere(t *testing.T) {
	root := os.DirFS("..")
	pages := 0
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case path.Ext(name) != ".md":
			return nil
		}
		pages++
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], ":") { // https:, mailto:
				continue
			}
			if _, err := fs.Stat(root, path.Join(path.Dir(name), found[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, found[1], err)
			}
		}
		return nil
	})
	if err != nil || pages == 0 {
		t.Fatalf("read %d documents: %v", pages, err)
	}
}

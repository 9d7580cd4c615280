// Package docs checks the repository's documents.
package docs

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
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

// required matches a module that go.mod requires.
var required = regexp.MustCompile(`^\t(\S+) v[0-9]`)

// TestNoticeNamesWhatIsLinked demands each module of go.mod in NOTICE: its path, or that of
// the repository or the family ("/...") that it is in.
func TestNoticeNamesWhatIsLinked(t *testing.T) {
	notice, err := os.ReadFile("../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	named := strings.FieldsFunc(string(notice), func(r rune) bool { return strings.ContainsRune(" \n,;()", r) })
	module, err := os.Open("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = module.Close() }() // only read
	found := 0
	for lines := bufio.NewScanner(module); lines.Scan(); {
		match := required.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		found++
		if !slices.ContainsFunc(named, func(name string) bool {
			return strings.Contains(name, "/") && strings.HasPrefix(match[1]+"/", strings.TrimSuffix(strings.TrimRight(name, "."), "/")+"/")
		}) {
			t.Errorf("%s is not in NOTICE", match[1])
		}
	}
	if found == 0 {
		t.Error("go.mod requires nothing")
	}
}

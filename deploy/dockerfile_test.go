// Package deploy checks what the container image is made from.
package deploy

import (
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDockerfileBuildsWithTheModulesGo demands an image with a Go that go.mod
// takes: the one in it fetches no other.
func TestDockerfileBuildsWithTheModulesGo(t *testing.T) {
	image := regexp.MustCompile(`(?m)^ARG GO_IMAGE=golang:([0-9.]+)-bookworm$`).FindStringSubmatch(read(t, "../Dockerfile"))
	module := regexp.MustCompile(`(?m)^go ([0-9.]+)$`).FindStringSubmatch(read(t, "../go.mod"))
	if image == nil || module == nil {
		t.Fatalf("image %q, module %q", image, module)
	}
	if version.Compare("go"+image[1], "go"+module[1]) < 0 {
		t.Errorf("the image has Go %s and go.mod needs %s", image[1], module[1])
	}
}

// TestDockerfileCopiesWhatIsThere demands each file that is copied, from the
// checkout or from the stage that built in it.
func TestDockerfileCopiesWhatIsThere(t *testing.T) {
	made := []string{"bin/upscaled", "bin/upscaled-server", ".deps/onnxruntime/"} // by the build stage
	copied := 0
	for line := range strings.Lines(read(t, "../Dockerfile")) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "COPY" {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			source = strings.TrimPrefix(source, "/src/")
			if strings.HasPrefix(source, "--") || slices.Contains(made, source) {
				continue
			}
			copied++
			if _, err := os.Stat(filepath.Join("..", source)); err != nil {
				t.Errorf("COPY %s: %v", source, err)
			}
		}
	}
	if copied == 0 {
		t.Error("nothing is copied")
	}
}

// Package arch checks which package may import which.
//
// What golangci-lint's depguard checks file by file on a line of import, these tests check on
// everything that a package reaches, its tests included.
package arch

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/upscaled-media/upscaled"

// cgoList names the packages that may reach C; the Makefile reads the same file.
//
//go:embed cgo.txt
var cgoList string

// testedInC are in that list for their tests alone, which run what the package wrote.
var testedInC = []string{module + "/elements/infer/graph"}

// doors says which packages, with those below them, may import a C binding.
var doors = map[string][]string{
	"github.com/go-gst":               {module + "/elements/upscale", module + "/pipeline", module + "/internal/leak"},
	"github.com/yalue/onnxruntime_go": {module + "/elements/infer"},
}

// rooms says which rooms of this module a room imports outside its tests; main wires all of them,
// and internal is open to all. These are the arrows of docs/architecture.md.
var rooms = map[string][]string{
	"elements/frame":    nil,
	"elements/infer":    {"elements/frame"},
	"elements/grid":     nil,
	"elements/source":   nil,
	"elements/adjust":   {"filters", "elements/frame"},
	"elements/upscale":  {"elements/infer", "elements/frame"},
	"filters":           nil,
	"models":            {"elements/frame"},
	"container":         nil,
	"pipeline":          {"elements/adjust", "elements/grid", "elements/source", "elements/upscale", "elements/frame", "filters", "models", "container"},
	"job":               {"pipeline", "elements/upscale", "elements/infer", "elements/frame", "models", "container"},
	"worker/wire":       {"filters"},
	"worker/ranges":     {"worker/wire"},
	"worker/pool":       {"worker/wire"},
	"worker/workertest": {"worker/ranges", "worker/wire"},
	"worker":            {"pipeline", "worker/ranges", "worker/wire", "elements/adjust", "elements/source", "elements/upscale", "elements/infer", "filters", "models"},
	"server/problem":    nil,
	"server/auth":       {"server/problem"},
	"server/config":     {"server/auth", "models"},
	"client":            {"server/jobs", "server/transcode", "server/playback", "server/session", "server/matroska", "server/auth", "server/problem"},
	"server/jobs":       {"server/playback", "server/session", "server/source", "server/problem", "server/auth", "worker/pool", "worker/wire", "filters"},
	"server/hls":        {"worker/wire"},
	"server/fmp4":       {"worker/wire"},
	"server/cache":      nil,
	"server/matroska":   nil,
	"server/mpegts":     nil,
	"server/playout":    {"server/session", "server/live", "server/hls", "server/fmp4", "server/matroska", "server/mpegts", "worker/wire"},
	"server/session":    {"server/hls", "server/fmp4", "server/source", "server/cache", "worker/pool", "worker/wire", "filters", "models"},
	"server":            {"server/api", "server/control", "server/webrtc", "server/metrics", "server/playback", "server/session", "server/source", "server/cache", "server/auth", "server/config", "worker/pool", "worker/wire", "models", "server/transcode", "server/ingest", "server/live", "server/jobs"},
	"server/playback":   {"server/session", "server/playout", "server/source", "server/problem", "server/auth", "worker/pool", "worker/wire", "filters", "models"},
	"server/metrics":    {"server/problem", "server/session", "server/transcode", "server/cache", "worker/pool", "server/jobs"},
	"server/api":        {"server/playback", "server/session", "server/playout", "server/hls", "server/problem", "server/auth", "worker/wire", "filters", "models", "server/transcode", "server/jobs", "server/webrtc"},
	"server/control":    {"server/playback", "server/session", "server/problem", "server/auth", "worker/wire", "filters", "models", "server/jobs"},
	"server/webrtc":     {"server/session", "server/playout", "server/live", "server/ingest", "server/source", "server/problem", "server/fmp4", "server/matroska", "worker/wire"},
	"server/source":     {"worker/ranges", "worker/wire"},
	"server/transcode":  {"server/playback", "server/session", "server/source", "server/problem", "worker/pool", "worker/wire", "filters"},
	"server/ingest":     {"server/matroska", "server/source", "worker/wire"},
	"server/live":       {"server/ingest", "server/fmp4", "server/session", "server/source", "server/problem", "worker/pool", "worker/wire"},
}

// goPackage is what these tests read of go list's answer.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestOnlyListedPackagesReachCgo(t *testing.T) {
	may := strings.Split(cgoList, "\n")
	for _, pkg := range packages(t) {
		args := []string{"-deps", "-test"}
		switch {
		case slices.Contains(testedInC, pkg.ImportPath):
			args = args[:1]
		case slices.Contains(may, pkg.ImportPath):
			continue
		}
		t.Run(pkg.ImportPath, func(t *testing.T) {
			t.Parallel()
			reached := goList(t, append(args, "-f",
				`{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}`, pkg.ImportPath)...)
			for _, dep := range strings.Fields(string(reached)) {
				t.Errorf("reaches C through %s; break the import, or list the package in cgo.txt", dep)
			}
		})
	}
}

func TestBindingsHaveOneDoor(t *testing.T) {
	for _, pkg := range packages(t) {
		for _, imported := range slices.Concat(pkg.Imports, pkg.TestImports, pkg.XTestImports) {
			for binding, allowed := range doors {
				if under(imported, binding) && !slices.ContainsFunc(allowed, func(door string) bool {
					return under(pkg.ImportPath, door)
				}) {
					t.Errorf("%s imports %s, which only %v may", pkg.ImportPath, imported, allowed)
				}
			}
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, pkg := range packages(t) {
		from, known := roomOf(pkg.ImportPath)
		if !known {
			continue
		}
		for _, imported := range pkg.Imports {
			if to, ok := roomOf(imported); ok && to != from && !slices.Contains(rooms[from], to) {
				t.Errorf("%s imports %s: %s may import %v only", pkg.ImportPath, imported, from, rooms[from])
			}
			if imported == module {
				t.Errorf("%s imports the command", pkg.ImportPath)
			}
		}
	}
}

// roomOf returns the innermost room of rooms that holds a package.
func roomOf(importPath string) (found string, known bool) {
	for room := range rooms {
		if under(importPath, module+"/"+room) && len(room) > len(found) {
			found, known = room, true
		}
	}
	return found, known
}

// under reports whether a package is folder or lies below it.
func under(importPath, folder string) bool {
	return importPath == folder || strings.HasPrefix(importPath, folder+"/")
}

// packages lists the packages of this module.
func packages(t *testing.T) []goPackage {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(goList(t, "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")))
	var all []goPackage
	for {
		var pkg goPackage
		switch err := decoder.Decode(&pkg); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("go list: %v", err)
		}
		all = append(all, pkg)
	}
}

// goList runs go list as it is on a machine with a C compiler: without cgo it names no file that uses it.
func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	return out
}

package upscale

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

var update = flag.Bool("update", false, "write docs/elements.md anew")

// TestDocsElements compares docs/elements.md with what the registered element
// says of itself.
func TestDocsElements(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "elements.md")
	want := elementsPage(t)
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the element says; run go test ./elements/upscale -run TestDocsElements -update", page)
	}
}

// field is a field of a structure in the page.
type field struct{ Name, Type string }

func elementsPage(t *testing.T) []byte {
	t.Helper()
	e, err := gsttest.Make("upscale")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.Template("sink") != e.Template("src") {
		t.Fatal("the pads have different caps, the page says that they have the same")
	}
	// gst_structure_to_string writes "name=(type)value" behind commas.
	var stats []field
	for _, m := range regexp.MustCompile(`([a-z0-9-]+)=\((\w+)\)`).FindAllStringSubmatch(strings.ReplaceAll(e.Get("stats"), `\`, ""), -1) {
		stats = append(stats, field{m[1], m[2]})
	}
	var page bytes.Buffer
	tmpl := template.Must(template.New("elements.md.tmpl").Funcs(template.FuncMap{"when": when, "plain": plainType}).ParseFiles("testdata/elements.md.tmpl"))
	if err := tmpl.Execute(&page, map[string]any{
		"Caps": e.Template("sink"), "MaxSide": frame.MaxSide, "Properties": e.Properties(), "Stats": stats,
	}); err != nil {
		t.Fatal(err)
	}
	return page.Bytes()
}

// when says when a property can change.
func when(p gsttest.Property) string {
	switch {
	case !p.Writable:
		return "read only"
	case p.WhilePlaying:
		return "always"
	default:
		return "READY"
	}
}

// plainType is GStreamer's name of a type as a reader would say it.
func plainType(name string) string {
	switch name {
	case "gchararray":
		return "string"
	case "GstStructure":
		return "structure"
	default: // gint, gdouble, gboolean, guint64
		return strings.TrimPrefix(name, "g")
	}
}

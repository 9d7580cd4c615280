package filters

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "write docs/filters.md anew")

// TestDocsFilters compares docs/filters.md with the tables of this package.
func TestDocsFilters(t *testing.T) {
	page := filepath.Join("..", "docs", "filters.md")
	tmpl := template.Must(template.New("filters.md.tmpl").Funcs(template.FuncMap{"number": number, "changes": changes}).
		ParseFiles("testdata/filters.md.tmpl"))
	var want bytes.Buffer
	if err := tmpl.Execute(&want, map[string]any{
		"All": Describe(), "MaxSide": MaxCubeSide, "MaxCurve": MaxCubeCurve, "MaxMiB": MaxCubeBytes >> 20,
	}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the tables say; run go test ./filters -run TestDocsFilters -update", page)
	}
}

// number writes a value as a reader would.
func number(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), "-", "−", 1)
}

// changes lists what a preset sets.
func changes(p Preset) string {
	var list []string
	for _, f := range Table() {
		if v := *f.of(&p.Settings); v != f.Neutral {
			list = append(list, fmt.Sprintf("`%s` %s", f.ID, number(v)))
		}
	}
	return strings.Join(list, ", ")
}

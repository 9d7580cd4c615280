package problem

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

func TestTableIsSound(t *testing.T) {
	seen := map[Code]bool{}
	for _, k := range Kinds() {
		switch {
		case seen[k.Code]:
			t.Errorf("%s stands there twice", k.Code)
		case !regexp.MustCompile(`^[a-z][a-z_]*[a-z]$`).MatchString(string(k.Code)):
			t.Errorf("%q is no code", k.Code)
		case k.Status < 400 || http.StatusText(k.Status) == "":
			t.Errorf("%s: status %d", k.Code, k.Status)
		case k.Owner == Client && k.Status >= 500, k.Owner == Us && k.Status < 500 && k.Code != SourceUnreadable:
			t.Errorf("%s: the fault of %s has status %d", k.Code, k.Owner, k.Status)
		case k.Title == "" || strings.HasSuffix(k.Title, ".") || !strings.HasSuffix(k.Advice, "."):
			t.Errorf("%s: %q, %q", k.Code, k.Title, k.Advice)
		}
		seen[k.Code] = true
	}
	for _, code := range constants(t, ".", "Code") {
		if !seen[Code(code)] {
			t.Errorf("the constant %s has no row", code)
		}
	}
}

func TestLevel(t *testing.T) {
	for code, want := range map[Code]slog.Level{
		NotFound: slog.LevelInfo, Damaged: slog.LevelWarn, Busy: slog.LevelWarn, WorkerLost: slog.LevelError, DiskFull: slog.LevelError,
	} {
		if k, _ := KindOf(code); k.Level() != want {
			t.Errorf("%s is logged as %s", code, k.Level())
		}
	}
}

// TestEveryCodeOfAWorkerIsKnown reads the sources of the packages that a worker
// is made of: importing them would take a C compiler.
func TestEveryCodeOfAWorkerIsKnown(t *testing.T) {
	for folder, typeName := range map[string]string{"../../pipeline": "Code", "../../job": "pipeline.Code", "../source": "Code"} {
		codes := constants(t, folder, typeName)
		if len(codes) < 5 {
			t.Errorf("%s has only the codes %v", folder, codes)
		}
		for _, code := range codes {
			if _, ok := KindOf(Code(code)); !ok {
				t.Errorf("%s: the code %s has no row", folder, code)
			}
		}
	}
}

// constants returns the values of a folder's string constants of a type.
func constants(t *testing.T, folder, typeName string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || typeOf(spec.Type) != typeName {
				return true
			}
			for _, value := range spec.Values {
				if text, ok := value.(*ast.BasicLit); ok {
					unquoted, err := strconv.Unquote(text.Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, unquoted)
				}
			}
			return true
		})
	}
	return values
}

// typeOf writes the name of a type as it stands in the source.
func typeOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// TestDocsErrors keeps docs/errors.md in step with the table.
func TestDocsErrors(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "errors.md")
	want := errorsPage()
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
		t.Errorf("%s is not what the table says; run go test ./server/problem -run TestDocsErrors -update", page)
	}
}

func errorsPage() []byte {
	var page bytes.Buffer
	page.WriteString(`<!-- Made from the table in server/problem by: go test ./server/problem -run TestDocsErrors -update -->
# Errors

Every failure has a code that stays the same across releases. Over HTTP it comes as a problem of
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), ` + "`application/problem+json`" + `; in the control protocol as the
` + "`error`" + ` of a reply, and as the cause of a session that has failed.

| member | meaning |
|---|---|
`)
	members := reflect.TypeFor[Problem]()
	for i := range members.NumField() {
		if name, _, _ := strings.Cut(members.Field(i).Tag.Get("json"), ","); name != "" {
			fmt.Fprintf(&page, "| `%s` | %s |\n", name, members.Field(i).Tag.Get("doc"))
		}
	}
	page.WriteString(`
| code | status | owner | retry after | meaning | what to do |
|---|---|---|---|---|---|
`)
	for _, k := range Kinds() {
		wait := "no"
		if k.Retryable() {
			wait = k.RetryAfter.String()
		}
		fmt.Fprintf(&page, "| `%s` | %d | %s | %s | %s | %s |\n", k.Code, k.Status, k.Owner, wait, k.Title, k.Advice)
	}
	return page.Bytes()
}

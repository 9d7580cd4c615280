package config

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md and deploy/upscaled.yml anew")

var (
	pageFile   = filepath.Join("..", "..", "docs", "configuration.md")
	deployFile = filepath.Join("..", "..", "deploy", "upscaled.yml")
)

func TestDocsConfiguration(t *testing.T) {
	defaults := Defaults()
	keys := keysOf(&defaults)
	current(t, pageFile, page(keys))
	current(t, deployFile, deployed(keys))
}

// TestDocsFileIsTheDefaults loads the file that is delivered.
func TestDocsFileIsTheDefaults(t *testing.T) {
	from, err := Load(Sources{File: deployFile})
	if err != nil {
		t.Fatal(err)
	}
	without, err := Load(Sources{})
	if err != nil || !reflect.DeepEqual(from, without) {
		t.Errorf("%v\nfile     %+v\ndefaults %+v", err, from, without)
	}
}

func TestDocsEveryKeyHasASentence(t *testing.T) {
	defaults := Defaults()
	for _, k := range keysOf(&defaults) {
		if doc := k.tag.Get("doc"); !strings.HasSuffix(doc, ".") || strings.Contains(doc, "|") {
			t.Errorf("%s: %q", k.name, doc)
		}
	}
}

// current compares a generated file, or writes it.
func current(t *testing.T, name string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the struct says; run go test ./server/config -run TestDocs -update", name)
	}
}

// page writes docs/configuration.md.
func page(keys []key) []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Made from server/config by: go test ./server/config -run TestDocs -update -->
# Configuration

The server takes each key from the last of these that has it:

1. its default;
2. the YAML file that ` + "`--config` or the variable `" + EnvFile + "`" + ` names; [deploy/upscaled.yml](../deploy/upscaled.yml)
   has every key with its default;
3. the environment: ` + "`hls.segment`" + ` is ` + "`UPSCALED_HLS__SEGMENT`" + `, with two underscores for the dot;
4. the command line.

An unknown key is an error, in each of them, and so is a value that breaks a rule: the server does not start, and says
everything that is wrong at once.

| kind | is written |
|---|---|
| time | with its unit, as in ` + "`500ms`, `10s`, `12h`" + `; a bare number is refused |
| size | a whole number with ` + "`B`, `KiB`, `MiB`, `GiB` or `TiB`" + ` |
| list | as one of YAML in the file; with commas between its entries elsewhere |
| network | as in ` + "`10.0.0.0/8`" + ` |

`)
	top := true
	for _, k := range keys {
		if k.section {
			fmt.Fprintf(&b, "\n## %s\n%s\n\n", k.name, k.tag.Get("doc"))
			top = true
			continue
		}
		if top {
			b.WriteString("| key | kind | default | rule | meaning |\n|---|---|---|---|---|\n")
			top = false
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.name, kind(k), code(inYAML(k)), ruleOf(k), k.tag.Get("doc"))
	}
	return b.Bytes()
}

// deployed writes deploy/upscaled.yml.
func deployed(keys []key) []byte {
	var b bytes.Buffer
	b.WriteString(`# The configuration of upscaled: every key with its default. docs/configuration.md says more.
# Made from server/config by: go test ./server/config -run TestDocs -update
`)
	for i, k := range keys {
		depth := strings.Count(k.name, ".")
		indent, name := strings.Repeat("  ", depth), k.name[strings.LastIndex(k.name, ".")+1:]
		if i == 0 || !keys[i-1].section {
			b.WriteString("\n")
		}
		comment := k.tag.Get("doc")
		if rule := ruleOf(k); rule != "" {
			comment += " Rule: " + rule + "."
		}
		for _, line := range wrap(comment, 110-len(indent)) {
			fmt.Fprintf(&b, "%s# %s\n", indent, line)
		}
		if k.section {
			fmt.Fprintf(&b, "%s%s:\n", indent, name)
		} else {
			fmt.Fprintf(&b, "%s%s: %s\n", indent, name, inYAML(k))
		}
	}
	return b.Bytes()
}

// inYAML writes a default as it stands in the file.
func inYAML(k key) string {
	switch value := k.field.Interface().(type) {
	case slog.Level:
		return strings.ToLower(value.String())
	case string:
		if value != "" {
			return value
		}
	default:
		if text := written(k.field); text != "" {
			return text
		}
	}
	return `""`
}

// kind names a key's type.
func kind(k key) string {
	switch k.field.Type().String() {
	case "time.Duration":
		return "time"
	case "config.Size":
		return "size"
	case "int", "float64":
		return "number"
	case "bool":
		return "`true` or `false`"
	case "[]string", "config.Names", "[]auth.Origin":
		return "list"
	case "[]netip.Prefix":
		return "list of networks"
	case "[]netip.Addr":
		return "list of addresses"
	case "config.Ports":
		return "range of ports"
	case "[]config.Root":
		return "list of `{name, path}`"
	}
	return "text"
}

// ruleOf writes the rule in a key's tags.
func ruleOf(k key) string {
	if least := k.tag.Get("min"); least != "" {
		return least + " to " + k.tag.Get("max")
	}
	if choices := k.tag.Get("oneof"); choices != "" {
		return "one of " + strings.ReplaceAll(choices, " ", ", ")
	}
	return map[string]string{"absolute": "absolute path", "id": "id of a model"}[k.tag.Get("is")]
}

func code(text string) string {
	if text == `""` || text == "[]" {
		return ""
	}
	return "`" + text + "`"
}

// wrap breaks text into lines of at most width characters, if its words allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2" // layers of sources; small, alive, MIT
	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/upscaled-media/upscaled/server/auth"
)

// Variables beside those of the keys.
const (
	// EnvFile names the configuration file where the command line does not.
	EnvFile = "UPSCALED_CONFIG"
	// EnvToken is another name for the variable of auth.token.
	EnvToken = "API_TOKEN"
)

// otherEnv are variables with our prefix that are not keys. The worker reads the
// second one, the command's clients the third.
var otherEnv = []string{EnvFile, "UPSCALED_ORT_LIBRARY", "UPSCALED_TOKEN"}

// maxFileBytes bounds the files that are read.
const maxFileBytes = 1 << 20

// Sources are what Load lays over the defaults, in this order.
type Sources struct {
	File    string            // path of a YAML file; "" for the one that EnvFile names, or none
	Environ []string          // as of os.Environ
	Flags   map[string]string // from the command line, by key
}

// Load returns the configuration that the sources make. The error joins a Fault
// for everything that is wrong with it.
func Load(s Sources) (Config, error) {
	path := cmp.Or(s.File, variable(s.Environ, EnvFile))
	var file []byte
	if path != "" {
		var err error
		if file, err = readFile(path); err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
	}
	c, err := load(file, s.Environ, s.Flags)
	if err != nil && path != "" {
		return Config{}, fmt.Errorf("configuration, with %s:\n%w", path, err)
	}
	return c, err
}

func load(file []byte, environ []string, flags map[string]string) (Config, error) {
	c := Defaults()
	l := &loader{layers: koanf.New("."), keys: map[string]key{}, names: map[string]string{}}
	keys := keysOf(&c)
	for _, k := range keys {
		l.keys[k.name] = k
	}
	if err := l.addFile(file); err != nil {
		return Config{}, err
	}
	if err := l.addEnvironment(environ); err != nil {
		return Config{}, err
	}
	l.addFlags(flags)
	for _, k := range keys {
		l.decode(k)
	}
	l.settle(&c)
	l.check(&c)
	if len(l.faults) > 0 {
		return Config{}, errors.Join(l.faults...)
	}
	return c, nil
}

// loader collects what the sources say, and what is wrong with it.
type loader struct {
	layers *koanf.Koanf
	keys   map[string]key    // by name, with sections
	names  map[string]string // where a key's value comes from, if not from the file
	wrong  map[string]bool   // keys that have a fault
	faults []error
}

// fault notes what is wrong with a key, once: what follows from it is no news.
func (l *loader) fault(name, rule string, value any) {
	if l.wrong[name] {
		return
	}
	if l.wrong == nil {
		l.wrong = map[string]bool{}
	}
	l.wrong[name] = true
	f := &Fault{Key: name, Rule: rule}
	if _, secret := l.secret(name); value != nil && !secret {
		f.Value = shown(value)
		if from := l.names[name]; from != "" {
			f.Value += " from " + from
		}
	}
	l.faults = append(l.faults, f)
}

// secret tells whether a key's value may not be shown.
func (l *loader) secret(name string) (key, bool) {
	k, known := l.keys[name]
	if !known {
		return k, false
	}
	of := k.field.Type()
	return k, of == reflect.TypeFor[auth.Token]() || of == reflect.TypeFor[auth.Secret]()
}

// oneDocument reads YAML of a single document. The plain parser reads the first
// and drops the others without a word.
type oneDocument struct{ *yaml.YAML }

// Unmarshal implements koanf.Parser.
func (oneDocument) Unmarshal(b []byte) (map[string]any, error) {
	decoder := yamlv3.NewDecoder(bytes.NewReader(b))
	var out map[string]any
	if err := decoder.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(&yamlv3.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("yaml: there must be one document only")
	}
	return out, nil
}

func (l *loader) addFile(file []byte) error {
	if err := l.layers.Load(rawbytes.Provider(file), oneDocument{yaml.Parser()}); err != nil {
		return err
	}
	l.checkTree("", l.layers.Raw())
	return nil
}

// checkTree finds what in a file is not a key.
func (l *loader) checkTree(prefix string, tree map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		value, full := tree[name], prefix+name
		k, known := l.keys[full]
		section, isSection := value.(map[string]any)
		switch {
		case !known || strings.Contains(name, "."):
			l.fault(full, l.unknown(full), nil)
		case k.section && isSection:
			l.checkTree(full+".", section)
		case k.section && value != nil: // without a value all of its keys may be commented out
			l.fault(full, "must be a section with keys", nil) // what stands there may be a secret
		case !k.section && value == nil:
			l.fault(full, "must have a value; take the line away for the default", nil)
		}
	}
}

func (l *loader) addEnvironment(environ []string) error {
	names := map[string]string{}
	for name, k := range l.keys {
		if !k.section {
			names[k.env()] = name
		}
	}
	token := ""
	err := l.layers.Load(env.Provider(".", env.Opt{
		EnvironFunc: func() []string { return slices.Sorted(slices.Values(environ)) }, // so that faults have an order
		TransformFunc: func(variable, value string) (string, any) {
			name, known := names[variable]
			switch {
			case variable == EnvToken && value != "":
				name, token = "auth.token", value
			case known && name == "auth.token" && token != "" && token != value: // API_TOKEN sorts before it
				l.fault(name, "must not differ between "+EnvToken+" and "+variable, nil)
			case !known && strings.HasPrefix(variable, envPrefix) && !slices.Contains(otherEnv, variable):
				l.fault(variable, l.unknown(strings.ToLower(strings.ReplaceAll(variable[len(envPrefix):], "__", "."))), nil)
			}
			if name != "" {
				l.names[name] = variable
			}
			return name, value
		},
	}), nil)
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}

func (l *loader) addFlags(flags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		k, secret := l.secret(name)
		switch {
		case k.name == "" || k.section:
			l.fault(name, l.unknown(name), nil)
		case secret:
			l.fault(name, "must not stand on the command line, where every user of the machine can read it; use "+
				map[bool]string{true: EnvToken, false: k.env()}[name == "auth.token"]+" or "+name+"_file", nil)
		default:
			l.names[name] = "the command line"
			_ = l.layers.Set(name, flags[name]) // merges maps, which cannot fail
		}
	}
}

// decode sets the field of a key, if a source has it.
func (l *loader) decode(k key) {
	if k.section || l.wrong[k.name] || !l.layers.Exists(k.name) {
		return
	}
	value := l.layers.Get(k.name)
	if err := decode(k.field, value); err != nil {
		if _, list := value.([]any); list && k.field.Kind() == reflect.Slice {
			value = nil // the error names the entry
		}
		l.fault(k.name, err.Error(), value)
	}
}

// variable returns the value of a variable, "" if it is not set.
func variable(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// readFile reads a small file.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("%s has more than %s", path, Size(maxFileBytes))
	}
	return data, err
}

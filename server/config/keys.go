package config

import (
	"reflect"
	"strings"
)

// envPrefix begins the names of the variables that set keys.
const envPrefix = "UPSCALED_"

// key is a field of a Config, or a section of them.
type key struct {
	name    string        // as in hls.segment
	field   reflect.Value // may be set
	tag     reflect.StructTag
	section bool
}

// env returns the name of the variable that sets the key.
func (k key) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.name, ".", "__"))
}

// keysOf lists the keys of a Config and its sections, each before what it holds.
func keysOf(c *Config) []key { return walk("", reflect.ValueOf(c).Elem()) }

func walk(prefix string, section reflect.Value) []key {
	var keys []key
	for i := range section.NumField() {
		field := section.Type().Field(i)
		name := field.Tag.Get("key")
		k := key{name: prefix + name, field: section.Field(i), tag: field.Tag}
		// A struct is a section, unless it is a value like a token.
		if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == section.Type().PkgPath() {
			k.section = true
			keys = append(keys, k)
			keys = append(keys, walk(k.name+".", k.field)...)
			continue
		}
		keys = append(keys, k)
	}
	return keys
}

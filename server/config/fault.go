package config

import (
	"fmt"
	"strings"
)

// maxShown bounds how much of a wrong value is repeated.
const maxShown = 100

// Fault is one thing that is wrong with a configuration. Load joins all of them.
type Fault struct { //nolint:errname // it is read as a noun: the faults of a configuration
	Key  string
	Rule string // as in: must be at least 500ms
	// Value is what was got, "" where it is not to be shown or there is none.
	Value string
}

// Error names key, rule and value.
func (f *Fault) Error() string {
	if f.Value == "" {
		return f.Key + ": " + f.Rule
	}
	return fmt.Sprintf("%s: %s (got %s)", f.Key, f.Rule, f.Value)
}

// shown writes a value for people.
func shown(value any) string {
	text := strings.ToValidUTF8(fmt.Sprint(value), "?")
	switch value.(type) {
	case map[string]any:
		text = "a section"
	case []any:
		text = "a list"
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' }) || text == "" {
		text = fmt.Sprintf("%q", text)
	}
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return text
}

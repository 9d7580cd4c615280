package auth

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// Secret is a key that the server signs with, and so has to know. It prints as
// Token does.
type Secret struct{ text *string } // behind a pointer, for dumps of structs

// ParseSecret reads a secret; "" is none. The error is a rule, and holds no part of
// it.
func ParseSecret(text string) (Secret, error) {
	switch {
	case text == "":
		return Secret{}, nil
	case len(text) < MinToken || len(text) > MaxToken:
		return Secret{}, fmt.Errorf("must have %d to %d characters", MinToken, MaxToken)
	case strings.ContainsFunc(text, unicode.IsControl):
		return Secret{}, fmt.Errorf("must not have control characters in it")
	}
	return Secret{&text}, nil
}

// IsSet reports whether there is one.
func (s Secret) IsSet() bool { return s.text != nil }

// Reveal returns the key itself, "" for none.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns what may be seen of the secret.
func (s Secret) String() string {
	if s.IsSet() {
		return redacted
	}
	return ""
}

// Format implements fmt.Formatter, so that no verb shows what is inside.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

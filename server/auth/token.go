package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// TokenHeader is the header that carries the token.
const TokenHeader = "X-Api-Token" //nolint:gosec // the name of a header is no secret

// tokenProtocol begins the WebSocket subprotocol that carries the token, for
// browsers, whose WebSocket can set no header.
const tokenProtocol = "token."

// The lengths of a token in characters. The least is what makes guessing hopeless
// at the rate that tries allows, for a token drawn at random.
const (
	MinToken = 16
	MaxToken = 256
)

// redacted is what is printed in place of a token.
const redacted = "[redacted]"

// Token is the secret of the API. Only its hash is kept, and behind a pointer, so
// that neither a log line nor a dump of a struct can tell it. The zero Token
// matches nothing.
type Token struct {
	sum *[sha256.Size]byte // nil for no token
}

// ParseToken returns the token that text is; "" is the zero Token. Errors wrap
// ErrToken and do not hold the text.
func ParseToken(text string) (Token, error) {
	switch {
	case text == "":
		return Token{}, nil
	case len(text) < MinToken, len(text) > MaxToken:
		return Token{}, fmt.Errorf("%w: it must have %d to %d characters, and has %d", ErrToken, MinToken, MaxToken, len(text))
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		return Token{}, fmt.Errorf("%w: it must be letters, digits and signs of ASCII without spaces", ErrToken)
	}
	sum := sha256.Sum256([]byte(text))
	return Token{&sum}, nil
}

// IsSet tells whether there is a token.
func (t Token) IsSet() bool { return t.sum != nil }

// Matches tells whether text is the token. The time it takes depends on the text
// alone: hashes of equal length are compared, and all of them.
func (t Token) Matches(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return t.sum != nil && subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

// String hides the token, and tells whether there is one.
func (t Token) String() string {
	if t.sum == nil {
		return ""
	}
	return redacted
}

// Format hides the token from every verb of fmt.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue hides the token from slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText hides the token from JSON, YAML and the like.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// presented returns the token that a request carries in a header or among its
// subprotocols, and whether it carries one at all.
func presented(r *http.Request) (text string, found bool) {
	if values := r.Header.Values(TokenHeader); len(values) > 0 {
		return strings.Join(values, ","), true // two of them match nothing: a token that is sent twice is a mistake
	}
	// RFC 6750 §2.1, which is what clients of WHIP and WHEP can be given.
	if scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(text), true
	}
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for protocol := range strings.SplitSeq(line, ",") {
			if encoded, ok := strings.CutPrefix(strings.TrimSpace(protocol), tokenProtocol); ok {
				return decodeProtocol(encoded), true
			}
		}
	}
	return "", false
}

// decodeProtocol returns the token in a subprotocol, "" when there is none.
func decodeProtocol(encoded string) string {
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return ""
	}
	return string(text)
}

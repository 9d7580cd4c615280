package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const secret = "correct-horse-battery"

func token(t *testing.T) Token {
	t.Helper()
	parsed, err := ParseToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestParseToken(t *testing.T) {
	for text, ok := range map[string]bool{
		secret: true, strings.Repeat("x", MinToken): true, strings.Repeat("x", MaxToken): true,
		strings.Repeat("x", MinToken-1): false, strings.Repeat("x", MaxToken+1): false,
		"with a space in its middle": false, "with-a-line-break\n": false, "with-ümlaut-and-more": false,
	} {
		parsed, err := ParseToken(text)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrToken) || parsed.IsSet() != ok || parsed.Matches(text) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error tells the token: %v", err)
		}
	}
	if none, err := ParseToken(""); err != nil || none.IsSet() || none.Matches("") {
		t.Errorf("no token: %v, matches nothing: %v", err, none.Matches(""))
	}
}

func TestTokenMatchesItselfOnly(t *testing.T) {
	for _, text := range []string{"", "x", secret[1:], secret + "x", strings.ToUpper(secret), redacted} {
		if token(t).Matches(text) {
			t.Errorf("%q matches", text)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	held := struct{ Token Token }{token(t)}
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%p"} {
		fmt.Fprintf(&printed, verb+" "+verb+"\n", held, held.Token)
	}
	slog.New(slog.NewTextHandler(&printed, nil)).Info("line", "token", held.Token, "held", held)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("line", "token", held.Token, "held", held)
	if err := json.NewEncoder(&printed).Encode(held); err != nil {
		t.Fatal(err)
	}
	sum := held.Token.sum[:]
	for _, part := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%x", sum), fmt.Sprintf("%X", sum), fmt.Sprintf("%v", sum)} {
		if strings.Contains(printed.String(), part) {
			t.Errorf("%s stands in\n%s", part, printed.String())
		}
	}
	if strings.Count(printed.String(), redacted) < 20 {
		t.Errorf("not even redacted:\n%s", printed.String())
	}
}

func TestPresented(t *testing.T) {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(secret))
	for name, c := range map[string]struct {
		header http.Header
		want   string
		found  bool
	}{
		"none":          {http.Header{}, "", false},
		"header":        {http.Header{"X-Api-Token": {secret}}, secret, true},
		"bearer":        {http.Header{"Authorization": {"Bearer " + secret}}, secret, true},
		"bearer, lower": {http.Header{"Authorization": {"bearer  " + secret}}, secret, true},
		"basic":         {http.Header{"Authorization": {"Basic dXNlcjpwYXNz"}}, "", false},
		"header first":  {http.Header{"X-Api-Token": {secret}, "Authorization": {"Bearer other"}}, secret, true},
		"empty header":  {http.Header{"X-Api-Token": {""}}, "", true},
		"two headers":   {http.Header{"X-Api-Token": {secret, secret}}, secret + "," + secret, true},
		"subprotocol":   {http.Header{"Sec-Websocket-Protocol": {"upscaled.v1, token." + encoded}}, secret, true},
		"on two lines":  {http.Header{"Sec-Websocket-Protocol": {"upscaled.v1", "token." + encoded}}, secret, true},
		"not base64":    {http.Header{"Sec-Websocket-Protocol": {"token.***"}}, "", true},
		"padded":        {http.Header{"Sec-Websocket-Protocol": {"token.eA=="}}, "", true},
		"no token":      {http.Header{"Sec-Websocket-Protocol": {"upscaled.v1"}}, "", false},
	} {
		if got, found := presented(&http.Request{Header: c.header}); got != c.want || found != c.found {
			t.Errorf("%s: %q, %v", name, got, found)
		}
	}
}

func FuzzDecodeProtocol(f *testing.F) {
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(secret)))
	f.Add("=")
	f.Add("AA\r\n")
	f.Fuzz(func(t *testing.T, encoded string) {
		text := decodeProtocol(encoded)
		back := base64.RawURLEncoding.EncodeToString([]byte(text))
		if text != "" && back != strings.NewReplacer("\r", "", "\n", "").Replace(encoded) {
			t.Errorf("%q was read as %q, which is %q", encoded, text, back)
		}
	})
}

package models

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// MaxBytes is the size of the largest model file that is read.
const MaxBytes = 512 << 20

// MaxScale is the largest scale of a model.
const MaxScale = 4

// Kind tells which channels a model works on.
type Kind string

// The kinds of model.
const (
	Luma Kind = "luma" // one channel, Y; chroma is scaled by a plain filter
	RGB  Kind = "rgb"  // three channels, R, G and B
)

// Content tells which pictures a model was made for.
type Content string

// The kinds of content.
const (
	Any       Content = "any"
	Film      Content = "film"
	Animation Content = "animation"
)

// Speed tells what a model needs to keep up with a film in SD. It is for
// people to choose by; planning measures.
type Speed string

// The speed classes.
const (
	Fast   Speed = "fast"   // two CPU cores
	Medium Speed = "medium" // many CPU cores or a small GPU
	Slow   Speed = "slow"   // a large GPU
)

// Input describes the tensor that a model takes.
type Input struct {
	Layout string `json:"layout"` // NCHW or NHWC
	Type   string `json:"type"`   // float32, float16 or uint8
	White  int    `json:"white"`  // the value of code 255: 1 or 255
}

// Size tells which picture sizes a model takes as they are. Others are padded
// or tiled.
type Size struct {
	Multiple int `json:"multiple"`         // both sides are multiples of this; at least 1
	Width    int `json:"width,omitempty"`  // the only width, in pixels; 0 for any
	Height   int `json:"height,omitempty"` // the only height, in pixels; 0 for any
}

// Manifest describes one model. Every field is needed except URL, which only
// embedded models lack, and the fixed sides of Size.
type Manifest struct {
	ID           string  `json:"id"`
	Title        string  `json:"title"`        // a line for people
	Architecture string  `json:"architecture"` // a line for people
	Scale        int     `json:"scale"`        // 1 to MaxScale
	Kind         Kind    `json:"kind"`
	Input        Input   `json:"input"`
	Size         Size    `json:"size"`
	Content      Content `json:"content"`
	Speed        Speed   `json:"speed"`
	Licence      string  `json:"licence"` // an SPDX expression
	Source       string  `json:"source"`  // who made it, or where it is described
	URL          string  `json:"url,omitempty"`
	SHA256       string  `json:"sha256"` // of the file, 64 lower-case hexadecimal digits
	Bytes        int64   `json:"bytes"`  // of the file, 1 to MaxBytes
}

// ParseManifest reads a manifest: one JSON object with the keys of Manifest and
// no others, which passes Check. The error wraps ErrManifest.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, fmt.Errorf("%w: something follows the object", ErrManifest)
	}
	if err := m.Check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// Check returns an error that wraps ErrManifest and names every rule that m
// breaks.
func (m Manifest) Check() error {
	var broken []error
	rule := func(ok bool, key, must string, got any) {
		if !ok {
			broken = append(broken, fmt.Errorf("%s: must be %s (got %#v)", key, must, got))
		}
	}
	rule(ValidID(m.ID), "id", "letters, digits, _ and - in parts joined by single dots", m.ID)
	rule(line(m.Title), "title", "one line of text", m.Title)
	rule(line(m.Architecture), "architecture", "one line of text", m.Architecture)
	rule(m.Scale >= 1 && m.Scale <= MaxScale, "scale", fmt.Sprintf("1 to %d", MaxScale), m.Scale)
	rule(m.Kind == Luma || m.Kind == RGB, "kind", "luma or rgb", string(m.Kind))
	rule(oneOf(m.Input.Layout, "NCHW", "NHWC"), "input.layout", "NCHW or NHWC", m.Input.Layout)
	rule(oneOf(m.Input.Type, "float32", "float16", "uint8"), "input.type", "float32, float16 or uint8", m.Input.Type)
	rule(m.Input.White == 1 || m.Input.White == 255, "input.white", "1 or 255", m.Input.White)
	rule(m.Size.Multiple >= 1 && m.Size.Multiple <= maxSide, "size.multiple", fmt.Sprintf("1 to %d", maxSide), m.Size.Multiple)
	rule(m.Size.fits(m.Size.Width), "size.width", "0 or a multiple of size.multiple", m.Size.Width)
	rule(m.Size.fits(m.Size.Height), "size.height", "0 or a multiple of size.multiple", m.Size.Height)
	rule(m.Content == Any || m.Content == Film || m.Content == Animation, "content", "any, film or animation", string(m.Content))
	rule(m.Speed == Fast || m.Speed == Medium || m.Speed == Slow, "speed", "fast, medium or slow", string(m.Speed))
	rule(spdx(m.Licence), "licence", "an SPDX licence expression", m.Licence)
	rule(line(m.Source), "source", "one line of text", m.Source)
	rule(m.URL == "" || https(m.URL), "url", "an https address without user or fragment", m.URL)
	rule(isSHA256(m.SHA256), "sha256", "64 lower-case hexadecimal digits", m.SHA256)
	rule(m.Bytes >= 1 && m.Bytes <= MaxBytes, "bytes", fmt.Sprintf("1 to %d", MaxBytes), m.Bytes)
	if broken != nil {
		return fmt.Errorf("%w: %w", ErrManifest, errors.Join(broken...))
	}
	return nil
}

// maxSide is the largest side of a model's input, that of a frame.
const maxSide = 16384

func (s Size) fits(side int) bool {
	return side == 0 || side > 0 && side <= maxSide && s.Multiple > 0 && side%s.Multiple == 0
}

var idPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*$`)

// maxID keeps a file name made of an id within what file systems take.
const maxID = 128

// ValidID reports whether s can be the id of a model. A valid id is a single,
// ordinary name of a file: no separator, no leading or doubled dot.
func ValidID(s string) bool { return len(s) <= maxID && idPattern.MatchString(s) }

// line reports whether s is one non-empty line of printable text.
func line(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 500 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

var (
	spdxID  = regexp.MustCompile(`^(?:DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9][A-Za-z0-9.-]*\+?$`)
	spdxGap = strings.NewReplacer("(", " ( ", ")", " ) ")
)

// spdx reports whether s has the form of an SPDX licence expression (SPDX 2.3,
// annex D). Whether the ids exist is not looked up.
func spdx(s string) bool {
	depth, operand := 0, true // operand: a licence must come next
	for _, word := range strings.Fields(spdxGap.Replace(s)) {
		switch word {
		case "(":
			if !operand {
				return false
			}
			depth++
		case ")":
			if depth--; operand || depth < 0 {
				return false
			}
		case "AND", "OR", "WITH":
			if operand {
				return false
			}
			operand = true
		default:
			if !operand || !spdxID.MatchString(word) {
				return false
			}
			operand = false
		}
	}
	return depth == 0 && !operand && len(s) <= 500
}

func https(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == "" && line(s)
}

func isSHA256(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == 32 && s == strings.ToLower(s)
}

func oneOf(s string, values ...string) bool {
	for _, v := range values {
		if s == v {
			return true
		}
	}
	return false
}

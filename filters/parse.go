package filters

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The limits of a .cube file. The specification allows 3D tables of 256 entries
// an axis, which are 400 MB of text; looks come with 17, 33 or 65.
const (
	MaxCubeBytes = 11 << 20 // with base64 around it less than a frame to a worker may hold
	MaxCubeSide  = 65       // entries along an axis of a 3D table
	MaxCubeCurve = 65536    // entries of a 1D table
	maxCubeLine  = 1024     // bytes; the specification allows 250
)

// Parse reads a LUT in the .cube format (Adobe, Cube LUT Specification 1.0),
// 1D or 3D, with the input ranges that Resolve writes as well. The error wraps
// ErrCubeSyntax or ErrCubeSize and names the line, or it is the reader's.
func Parse(r io.Reader) (*Cube, error) {
	limited := &io.LimitedReader{R: r, N: MaxCubeBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxCubeLine), maxCubeLine)
	p := cubeParser{cube: Cube{max: [3]float64{1, 1, 1}}}
	for lines.Scan() {
		p.line++
		if err := p.parse(lines.Text()); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d: %w: it is longer than %d bytes", p.line+1, ErrCubeSyntax, maxCubeLine)
	case err != nil:
		return nil, err
	case limited.N == 0:
		return nil, fmt.Errorf("%w: the file is larger than %d bytes", ErrCubeSize, MaxCubeBytes)
	}
	return p.done()
}

// cubeParser holds what has been read of a file.
type cubeParser struct {
	cube Cube
	line int
}

func (p *cubeParser) parse(text string) error {
	if p.line == 1 {
		text = strings.TrimPrefix(text, "\ufeff") // which editors on Windows put there
	}
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return nil
	}
	if c := text[0]; c >= '0' && c <= '9' || strings.IndexByte("+-.", c) >= 0 {
		return p.entry(text)
	}
	keyword, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if len(p.cube.table) > 0 {
		return fmt.Errorf("%w: %.32q among the entries", ErrCubeSyntax, keyword)
	}
	return p.keyword(keyword, strings.TrimSpace(rest))
}

func (p *cubeParser) keyword(keyword, rest string) error {
	switch keyword {
	case "TITLE":
		title := strings.TrimSuffix(strings.TrimPrefix(rest, `"`), `"`)
		p.cube.Title = strings.ToValidUTF8(title, "\ufffd")
		return nil
	case "LUT_1D_SIZE":
		return p.size(rest, false, MaxCubeCurve)
	case "LUT_3D_SIZE":
		return p.size(rest, true, MaxCubeSide)
	case "DOMAIN_MIN":
		return numbers(rest, p.cube.min[:])
	case "DOMAIN_MAX":
		return numbers(rest, p.cube.max[:])
	case "LUT_1D_INPUT_RANGE", "LUT_3D_INPUT_RANGE":
		var ends [2]float64
		err := numbers(rest, ends[:])
		for i := range 3 {
			p.cube.min[i], p.cube.max[i] = ends[0], ends[1]
		}
		return err
	default:
		return fmt.Errorf("%w: %.32q is no keyword of it", ErrCubeSyntax, keyword)
	}
}

func (p *cubeParser) size(text string, solid bool, most int) error {
	if p.cube.size != 0 {
		return fmt.Errorf("%w: a second size", ErrCubeSyntax)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%w: size %.32q is no whole number", ErrCubeSyntax, text)
	}
	if n < 2 || n > most {
		return fmt.Errorf("%w: %d, must be 2 to %d", ErrCubeSize, n, most)
	}
	p.cube.size, p.cube.solid = n, solid
	return nil
}

// entries returns how many entries the size asks for.
func (p *cubeParser) entries() int {
	if p.cube.solid {
		return p.cube.size * p.cube.size * p.cube.size
	}
	return p.cube.size
}

func (p *cubeParser) entry(text string) error {
	switch {
	case p.cube.size == 0:
		return fmt.Errorf("%w: an entry before the size", ErrCubeSyntax)
	case len(p.cube.table) == p.entries():
		return fmt.Errorf("%w: more entries than the %d of its size", ErrCubeSyntax, p.entries())
	}
	var rgb [3]float64
	if err := numbers(text, rgb[:]); err != nil {
		return err
	}
	p.cube.table = append(p.cube.table, [3]float32{float32(rgb[0]), float32(rgb[1]), float32(rgb[2])})
	return nil
}

// done returns the cube when the file was whole.
func (p *cubeParser) done() (*Cube, error) {
	switch {
	case p.cube.size == 0:
		return nil, fmt.Errorf("%w: it has no LUT_1D_SIZE or LUT_3D_SIZE", ErrCubeSyntax)
	case len(p.cube.table) < p.entries():
		return nil, fmt.Errorf("%w: %d entries, its size asks for %d", ErrCubeSyntax, len(p.cube.table), p.entries())
	}
	for i := range 3 {
		if p.cube.max[i]-p.cube.min[i] < 1e-6 {
			return nil, fmt.Errorf("%w: the domain from %g to %g is empty", ErrCubeSyntax, p.cube.min[i], p.cube.max[i])
		}
	}
	return &p.cube, nil
}

// huge is beyond what any entry or domain means, and far from where float32 ends.
const huge = 1e6

// numbers reads exactly as many numbers as to has room for.
func numbers(text string, to []float64) error {
	fields := strings.Fields(text)
	if len(fields) != len(to) {
		return fmt.Errorf("%w: %d values, want %d", ErrCubeSyntax, len(fields), len(to))
	}
	for i, field := range fields {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > huge {
			return fmt.Errorf("%w: %.32q is no number that it may hold", ErrCubeSyntax, field)
		}
		to[i] = v
	}
	return nil
}

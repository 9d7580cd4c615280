package filters

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
)

// solid returns the text of a 3D LUT.
func solid(size int, f func(r, g, b float64) [3]float64) string {
	var text strings.Builder
	fmt.Fprintf(&text, "LUT_3D_SIZE %d\n", size)
	last := float64(size - 1)
	for i := range size * size * size {
		v := f(float64(i%size)/last, float64(i/size%size)/last, float64(i/size/size)/last)
		fmt.Fprintf(&text, "%g %g %g\n", v[0], v[1], v[2])
	}
	return text.String()
}

func mustParse(t *testing.T, text string) *Cube {
	t.Helper()
	c, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(a, b [3]float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-5 {
			return false
		}
	}
	return true
}

// TestLinearLUTsAreExact evaluates LUTs without a bend, within the domain and
// beyond it.
func TestLinearLUTsAreExact(t *testing.T) {
	for name, f := range map[string]func(r, g, b float64) [3]float64{
		"identity": func(r, g, b float64) [3]float64 { return [3]float64{r, g, b} },
		"inverse":  func(r, g, b float64) [3]float64 { return [3]float64{1 - r, 1 - g, 1 - b} },
		"turned":   func(r, g, b float64) [3]float64 { return [3]float64{b, 0.5*r + 0.2*g, g - 0.1*b} },
	} {
		for _, size := range []int{2, 3, 17} {
			c := mustParse(t, solid(size, f))
			for _, p := range [][3]float64{{0, 0, 0}, {1, 1, 1}, {0.3, 0.7, 0.1}, {0.99, 0.01, 0.5}, {-0.2, 0.5, 1.3}, {1.4, -0.4, 0.2}} {
				if got, want := c.At(p), f(p[0], p[1], p[2]); !near(got, want) {
					t.Errorf("%s of %d at %v is %v, want %v", name, size, p, got, want)
				}
			}
		}
	}
}

// TestRedRunsFastest looks at the corners by their place in the file.
func TestRedRunsFastest(t *testing.T) {
	text := "LUT_3D_SIZE 2\n"
	for i := range 8 {
		text += fmt.Sprintf("%d 0 0\n", i)
	}
	c := mustParse(t, text)
	for i := range 8 {
		if got := c.At([3]float64{float64(i & 1), float64(i >> 1 & 1), float64(i >> 2)}); got[0] != float64(i) {
			t.Errorf("corner %d is %v", i, got)
		}
	}
}

func TestGreysStayGreyBetweenEntries(t *testing.T) {
	c := mustParse(t, solid(5, func(r, g, b float64) [3]float64 {
		v := r * r
		if r != g || g != b {
			v = 0.9 // what is beside the greys must not show in them
		}
		return [3]float64{v, v, v}
	}))
	for i := range 41 {
		v := float64(i) / 40
		low, high := math.Floor(v*4)/4, math.Ceil(v*4)/4
		part := v*4 - math.Floor(v*4)
		want := low*low*(1-part) + high*high*part
		if got := c.At([3]float64{v, v, v}); !near(got, [3]float64{want, want, want}) {
			t.Errorf("grey %v is %v, want %v", v, got, want)
		}
	}
}

func TestWhatFilesMayHold(t *testing.T) {
	c := mustParse(t, "\ufeff# made by hand\r\nTITLE \"Two \xff curves\"\r\n\r\nDOMAIN_MIN -1 0 0\r\nDOMAIN_MAX\t1 2 1\r\nLUT_1D_SIZE 3\r\n0 0 1\r\n.5 0.5 5e-1\r\n# and\r\n+1 1 -0\r\n")
	if size, solid := c.Size(); c.Title != "Two \ufffd curves" || size != 3 || solid {
		t.Errorf("%q, %d, %v", c.Title, size, solid)
	}
	if got := c.At([3]float64{0.5, 0.5, 0.25}); !near(got, [3]float64{0.75, 0.25, 0.75}) {
		t.Errorf("the curves give %v", got)
	}
	ranged := mustParse(t, "LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0 2\n"+strings.SplitN(solid(2, func(r, g, b float64) [3]float64 { return [3]float64{r, g, b} }), "\n", 2)[1])
	if got := ranged.At([3]float64{1, 0.5, 2}); !near(got, [3]float64{0.5, 0.25, 1}) {
		t.Errorf("the input range gives %v", got)
	}
}

func TestBadFiles(t *testing.T) {
	for _, test := range []struct {
		text, says string
		is         error
	}{
		{"", "it has no LUT_1D_SIZE or LUT_3D_SIZE", ErrCubeSyntax},
		{"LUT_3D_SIZE 1", "line 1: LUT size is out of range: 1, must be 2 to 65", ErrCubeSize},
		{"LUT_3D_SIZE 66", "line 1: LUT size is out of range: 66, must be 2 to 65", ErrCubeSize},
		{"LUT_1D_SIZE 65537", "must be 2 to 65536", ErrCubeSize},
		{"LUT_3D_SIZE -99999999999999999999", "no whole number", ErrCubeSyntax},
		{"LUT_3D_SIZE two", `size "two" is no whole number`, ErrCubeSyntax},
		{"LUT_3D_SIZE 2\nLUT_1D_SIZE 2", "line 2: not a .cube file: a second size", ErrCubeSyntax},
		{"0 0 0", "an entry before the size", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 0\n", "1 entries, its size asks for 2", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 0\n1 1 1\n2 2 2", "line 4: not a .cube file: more entries than the 2 of its size", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0\n", "line 2: not a .cube file: 2 values, want 3", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 0 0\n", "4 values, want 3", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 nan\n", `"nan" is no number`, ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 1e9\n", `"1e9" is no number`, ErrCubeSyntax},
		{"LUT_1D_SIZE 2\n0 0 0\nTITLE x", `"TITLE" among the entries`, ErrCubeSyntax},
		{"LUT_1D_SIZE 2\nDOMAIN_MAX 1 0 1\n0 0 0\n1 1 1", "the domain from 0 to 0 is empty", ErrCubeSyntax},
		{"LUT_1D_SIZE 2\nDOMAIN_MIN 1 1\n", "2 values, want 3", ErrCubeSyntax},
		{"\x89PNG\r\n", "is no keyword", ErrCubeSyntax},
		{strings.Repeat("x", 5000), "line 1: not a .cube file: it is longer than 1024 bytes", ErrCubeSyntax},
	} {
		if _, err := Parse(strings.NewReader(test.text)); !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.40q: %v, want %q", test.text, err, test.says)
		}
	}
}

// TestFilesAreReadToTheirLimit reads one that has no end.
func TestFilesAreReadToTheirLimit(t *testing.T) {
	endless := &counted{r: repeated("# nothing\n")}
	if _, err := Parse(endless); !errors.Is(err, ErrCubeSize) {
		t.Errorf("an endless file: %v", err)
	}
	if endless.n > MaxCubeBytes+1 {
		t.Errorf("%d bytes were read", endless.n)
	}
	broken := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader's error: %v", err)
	}
}

// repeated is a reader that gives a text again and again.
type repeated string

func (s repeated) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte(s), len(p)/len(s)+1)), nil
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// FuzzParse reads anything; what is taken must give numbers everywhere.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"LUT_1D_SIZE 2\n0 0 0\n1 1 1", "TITLE \"x\"\nLUT_3D_SIZE 2\n" + strings.Repeat("0 .5 1\n", 8),
		"LUT_1D_SIZE 2\nDOMAIN_MIN -1 0 0\nDOMAIN_MAX 1e-5 1 1\n0 -0 0\n1e6 1 1", "#\n\n\ufeff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrCubeSyntax) && !errors.Is(err, ErrCubeSize) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		for _, p := range [][3]float64{{0, 0, 0}, {1, 1, 1}, {0.2, 0.9, 0.5}, {-5, 5, 1e9}} {
			for _, v := range c.At(p) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("at %v: %v", p, v)
				}
			}
		}
	})
}

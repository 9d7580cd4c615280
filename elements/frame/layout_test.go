package frame

import (
	"errors"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct {
		format                     Format
		name                       string
		bits, bytes, shift, planes int
		subsampled                 bool
	}{
		{I420, "I420", 8, 1, 0, 3, true},
		{NV12, "NV12", 8, 1, 0, 2, true},
		{I42010LE, "I420_10LE", 10, 2, 0, 3, true},
		{P010LE, "P010_10LE", 10, 2, 6, 2, true},
		{RGB, "RGB", 8, 1, 0, 1, false},
	} {
		f := test.format
		if f.String() != test.name || f.Bits() != test.bits || f.SampleBytes() != test.bytes ||
			f.Shift() != test.shift || f.Planes() != test.planes || f.Subsampled() != test.subsampled {
			t.Errorf("%s: %d bits in %d bytes shifted by %d, %d planes, subsampled %v",
				f, f.Bits(), f.SampleBytes(), f.Shift(), f.Planes(), f.Subsampled())
		}
		if back, err := ParseFormat(test.name); err != nil || back != f {
			t.Errorf("%s: parsed as %s, %v", test.name, back, err)
		}
	}
	if len(Formats()) != len(formatNames) {
		t.Errorf("%d formats are listed and %d named", len(Formats()), len(formatNames))
	}
	if got := Format(99).String(); got != "format(99)" {
		t.Errorf("an unknown format is called %s", got)
	}
	for _, name := range []string{"", "i420", "YV12", "format(99)"} {
		if _, err := ParseFormat(name); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestPlaneSizes(t *testing.T) {
	type plane struct{ samples, rows, bytes int }
	for _, test := range []struct {
		format        Format
		width, height int
		want          []plane
	}{
		{I420, 4, 2, []plane{{4, 2, 4}, {2, 1, 2}, {2, 1, 2}}},
		{I420, 5, 3, []plane{{5, 3, 5}, {3, 2, 3}, {3, 2, 3}}},
		{NV12, 5, 3, []plane{{5, 3, 5}, {6, 2, 6}}},
		{I42010LE, 5, 3, []plane{{5, 3, 10}, {3, 2, 6}, {3, 2, 6}}},
		{P010LE, 1, 1, []plane{{1, 1, 2}, {2, 1, 4}}},
		{RGB, 5, 3, []plane{{15, 3, 15}}},
	} {
		l := Layout{Format: test.format, Width: test.width, Height: test.height}
		if l.Format.Planes() != len(test.want) {
			t.Errorf("%s has %d planes", l.Format, l.Format.Planes())
			continue
		}
		for i, want := range test.want {
			samples, rows := l.PlaneSize(i)
			if got := (plane{samples, rows, l.RowBytes(i)}); got != want {
				t.Errorf("%s %d×%d plane %d: got %+v, want %+v", l.Format, l.Width, l.Height, i, got, want)
			}
		}
	}
}

func TestLayoutCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		layout Layout
		want   error
	}{
		{"smallest", Layout{Format: I420, Width: 1, Height: 1}, nil},
		{"largest", Layout{Format: RGB, Width: MaxSide, Height: MaxSide}, nil},
		{"no format", Layout{Width: 4, Height: 4}, ErrFormat},
		{"unknown format", Layout{Format: 99, Width: 4, Height: 4}, ErrFormat},
		{"no width", Layout{Format: NV12, Height: 4}, ErrSize},
		{"negative height", Layout{Format: NV12, Width: 4, Height: -1}, ErrSize},
		{"too wide", Layout{Format: NV12, Width: MaxSide + 1, Height: 4}, ErrSize},
		{"too high", Layout{Format: NV12, Width: 4, Height: MaxSide + 1}, ErrSize},
	} {
		if err := test.layout.Check(); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestScaledKeepsTheRest(t *testing.T) {
	l := Layout{Format: P010LE, Width: 853, Height: 480, Matrix: BT2020, Range: Full, Site: SiteTopLeft}
	want := l
	want.Width, want.Height = 2559, 1440
	if got := l.Scaled(3); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

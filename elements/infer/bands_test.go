package infer

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

func TestPlanBands(t *testing.T) {
	for _, c := range []struct {
		height, threads, reach, multiple int
		want                             bandLayout
	}{
		{360, 1, 11, 2, bandLayout{1, 360, 0, 2}},
		{360, 2, 11, 2, bandLayout{2, 192, 168, 2}},
		{480, 2, 11, 2, bandLayout{2, 252, 228, 2}},
		{360, 2, 8, 2, bandLayout{2, 188, 172, 2}}, // sixteen rows twice, no more
		{480, 2, 8, 2, bandLayout{2, 248, 232, 2}},
		{360, 4, 11, 2, bandLayout{2, 192, 168, 2}}, // four would compute too much twice
		{1080, 4, 11, 2, bandLayout{4, 288, 264, 2}},
		{1080, 6, 11, 2, bandLayout{3, 376, 352, 2}},
		{1080, 3, 0, 1, bandLayout{3, 360, 360, 2}},
		{361, 2, 11, 2, bandLayout{2, 193, 168, 2}}, // an odd height is the bands'
		{360, 2, 40, 2, bandLayout{1, 360, 0, 2}},   // looks too far
		{720, 2, 11, 16, bandLayout{2, 384, 336, 16}},
		{40, 8, 0, 1, bandLayout{1, 40, 0, 2}},
	} {
		got := planBands(c.height, c.threads, c.reach, c.multiple)
		if got != c.want {
			t.Errorf("%d rows, %d threads, reach %d, multiple %d: got %+v, want %+v", c.height, c.threads, c.reach, c.multiple, got, c.want)
		}
	}
}

// FuzzPlanBands checks what the comments of the plan promise.
func FuzzPlanBands(f *testing.F) {
	f.Add(uint16(540), uint8(8), uint8(11), uint8(2))
	f.Fuzz(func(t *testing.T, h uint16, n, r, a uint8) {
		height, threads, reach, align := int(h)%8192+1, int(n)%64+1, int(r)%64, int(a)%16+1
		b := planBands(height, threads, reach, align)
		if threads%b.count != 0 || (b.count-1)*b.step+b.height != height {
			t.Fatalf("%+v does not cover %d rows with %d threads", b, height, threads)
		}
		for i := 1; i < b.count; i++ {
			start, end := i*b.step, (i-1)*b.step+b.height
			if s := b.seam(i); s%2 != 0 || s%align != 0 || s-start < reach || end-s < reach {
				t.Fatalf("%+v: seam %d at row %d of %d to %d", b, i, s, start, end)
			}
			if start%align != 0 || start%2 != 0 {
				t.Fatalf("%+v: band %d starts at row %d", b, i, start)
			}
		}
	})
}

// TestBandsAreExact compares frames that several cores made in bands with the
// same of one core.
func TestBandsAreExact(t *testing.T) {
	data, err := os.ReadFile(defaultModel)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Model{
		"default": load(t, data),
		"nearest": load(t, testonnx.Spec{Scale: 3}.Nearest()),
	} {
		for _, format := range frame.Formats() {
			layout := frame.Layout{Format: format, Width: 47, Height: 601}
			one := open(t, m, Config{In: layout, Threads: 1, Mix: true})
			many := open(t, m, Config{In: layout, Threads: 4, Mix: true})
			if one.bands != nil || many.bands == nil {
				t.Fatalf("%s %s: bands on one core, or none on four with a reach of %d", name, format, m.reach)
			}
			_, want := upscale(t, one, 8, 0.7)
			_, got := upscale(t, many, 8, 0.7)
			if at := differs(got, want); at != "" {
				t.Errorf("%s %s: %s", name, format, at)
			}
			gaps(t, got)
		}
	}
}

// TestBandsOfOthers does the same with a network that looks far.
func TestBandsOfOthers(t *testing.T) {
	m := thirdPartyModel(t)
	layout := frame.Layout{Format: frame.I420, Width: 40, Height: 1201}
	one, many := open(t, m, Config{In: layout, Threads: 1}), open(t, m, Config{In: layout, Threads: 2})
	if many.bands == nil {
		t.Fatalf("no bands with a reach of %d", m.reach)
	}
	_, want := upscale(t, one, 1, 1)
	_, got := upscale(t, many, 1, 1)
	if at := differs(got, want); at != "" {
		t.Error(at)
	}
}

// TestBandsNeedALimitedReach keeps a network that looks everywhere whole.
func TestBandsNeedALimitedReach(t *testing.T) {
	m := load(t, pulledToMaximum(t))
	u := open(t, m, Config{In: frame.Layout{Format: frame.I420, Width: 64, Height: 400}, Threads: 4})
	if m.reach >= 0 || u.bands != nil {
		t.Errorf("a reach of %d, in bands: %t", m.reach, u.bands != nil)
	}
}

// TestBandsReportErrors lets one of two bands fail.
func TestBandsReportErrors(t *testing.T) {
	u := open(t, load(t, testonnx.Spec{}.Identity()), Config{In: frame.Layout{Format: frame.I420, Width: 32, Height: 400}, Threads: 2})
	closed := 0
	u.lanes[1].engine = &fakeEngine{u.lanes[1].engine, func([]view) error { return errors.New("no memory left") }, &closed}
	err := u.Run(frame.New(u.In(), 1), frame.New(u.Out(), 1), 1)
	if err == nil || !strings.Contains(err.Error(), "no memory left") || u.Stats().Failed != 1 || u.Stats().Frames != 0 {
		t.Errorf("got %v, %+v", err, u.Stats())
	}
}

func TestReach(t *testing.T) {
	blur := make([]float32, 9)
	for i := range blur {
		blur[i] = 1.0 / 9
	}
	for want, data := range map[int][]byte{
		0:  testonnx.Spec{Scale: 2, Multiple: 4}.Nearest(),
		1:  testonnx.Spec{Channels: 1}.Conv(blur, []float32{0}),
		-1: testonnx.Spec{Width: 64, Height: 64}.Identity(),
	} {
		if m := load(t, data); m.reach != want {
			t.Errorf("got %d, want %d", m.reach, want)
		}
	}
}

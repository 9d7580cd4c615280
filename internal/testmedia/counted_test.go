package testmedia

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

func newCounted(t testing.TB, s Spec) *Clip {
	t.Helper()
	c, err := NewCounted(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func drawn(t testing.TB, c *Clip, i int) frame.Frame {
	t.Helper()
	f := frame.New(c.Layout, 64)
	if err := c.Draw(i, f); err != nil {
		t.Fatal(err)
	}
	return f
}

func resized(t testing.TB, f frame.Frame, factor float64, k picture.Kernel) frame.Frame {
	t.Helper()
	to := f.Layout
	to.Width, to.Height = int(float64(f.Width)*factor), int(float64(f.Height)*factor)
	s, err := picture.NewFrameScaler(f.Layout, to, k)
	if err != nil {
		t.Fatal(err)
	}
	out := frame.New(to, 1)
	if err := s.Scale(out, f); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNumbersAreRead(t *testing.T) {
	for _, spec := range []Spec{
		{Width: 160, Height: 120},
		{Width: 320, Height: 180, Format: frame.I42010LE},
		{Width: 321, Height: 181, Interlaced: true},
	} {
		c := newCounted(t, spec)
		for _, i := range []int{0, 1, 24, 0x5a96, 65535} {
			f := drawn(t, c, i)
			for _, scale := range []float64{0.5, 1, 1.5, 2, 3} {
				got, err := ReadNumber(resized(t, f, scale, picture.Bicubic()), scale)
				if err != nil || got != i {
					t.Errorf("%d×%d frame %d at %g: read %d, %v", c.Width, c.Height, i, scale, got, err)
				}
			}
		}
	}
}

// TestNumbersSurviveNoise reads numbers from pictures that lost contrast and
// gained noise as strong as bad coding leaves.
func TestNumbersSurviveNoise(t *testing.T) {
	c := newCounted(t, Spec{Width: 320, Height: 180})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		f := drawn(t, c, i)
		for y := range f.Height {
			row := f.Planes[0].Data[y*f.Planes[0].Stride:][:f.Width]
			for x, v := range row {
				row[x] = byte(min(max(40+0.6*float64(v)+30*random.NormFloat64(), 0), 255))
			}
		}
		if got, err := ReadNumber(f, 1); err != nil || got != i {
			t.Fatalf("frame %d: read %d, %v", i, got, err)
		}
	}
}

func TestOtherPicturesHaveNoNumber(t *testing.T) {
	l := frame.Layout{Format: frame.I420, Width: 320, Height: 180}
	for _, level := range []byte{0, 16, 128, 235, 255} {
		f := frame.New(l, 1)
		for i := range f.Planes[0].Data {
			f.Planes[0].Data[i] = level
		}
		if got, err := ReadNumber(f, 1); !errors.Is(err, ErrNumber) {
			t.Errorf("a picture of %d: read %d, %v", level, got, err)
		}
	}
	f := frame.New(l, 1)
	for _, scale := range []float64{0, -1, math.NaN(), math.Inf(1), 3, 8} {
		if _, err := ReadNumber(f, scale); !errors.Is(err, ErrNumber) {
			t.Errorf("scale %g: %v", scale, err)
		}
	}
	f.Planes[0].Data = nil
	if _, err := ReadNumber(f, 1); !errors.Is(err, frame.ErrPlane) {
		t.Errorf("no memory: %v", err)
	}
}

// TestMarks proves that flashes and beeps begin at the same moments, at rates
// that divide seconds and rates that do not.
func TestMarks(t *testing.T) {
	for _, rate := range []Ratio{{24, 1}, {25, 1}, {24000, 1001}, {30000, 1001}, {60, 1}, {12, 1}} {
		c := newCounted(t, Spec{Width: 160, Height: 120, Rate: rate, Frames: 4 * rate.Num / rate.Den})
		var pts []time.Duration
		var lit []bool
		for i := range c.Frames {
			pts = append(pts, c.PTS(i))
			lit = append(lit, Lit(drawn(t, c, i)))
		}
		flashes := Flashes(pts, lit)
		beeps := Beeps(c.Sound(0, int(c.Samples())))
		marks := c.Marks()
		if len(flashes) != len(marks) || len(beeps) != len(marks) || len(marks) < 4 {
			t.Fatalf("%v: %d flashes, %d beeps, %d marks", rate, len(flashes), len(beeps), len(marks))
		}
		for s, m := range marks {
			if flashes[s] != m.PTS {
				t.Errorf("%v second %d: flash at %v, mark at %v", rate, s, flashes[s], m.PTS)
			}
			if d := beeps[s] - m.PTS; d.Abs() > 500*time.Microsecond {
				t.Errorf("%v second %d: beep %v off", rate, s, d)
			}
			if late := m.PTS - time.Duration(s)*time.Second; late < 0 || late >= time.Second*time.Duration(rate.Den)/time.Duration(rate.Num) {
				t.Errorf("%v second %d: mark %v late", rate, s, late)
			}
		}
	}
}

func TestBeepsSurviveNoiseAndOffset(t *testing.T) {
	c := newCounted(t, Spec{Width: 160, Height: 120, Frames: 96})
	random := rand.New(rand.NewPCG(3, 4))
	const offset = 1234
	pcm := append(make([]byte, offset*SampleBytes), c.Sound(0, int(c.Samples()))...)
	for i := 0; i < len(pcm); i += 2 {
		v := float64(int16(binary.LittleEndian.Uint16(pcm[i:])))
		binary.LittleEndian.PutUint16(pcm[i:], uint16(int16(0.3*v+200*random.NormFloat64())))
	}
	beeps := Beeps(pcm)
	if len(beeps) != 4 {
		t.Fatalf("%d beeps: %v", len(beeps), beeps)
	}
	for s, at := range beeps {
		want := time.Duration(s)*time.Second + offset*time.Second/SampleRate
		if (at - want).Abs() > time.Millisecond {
			t.Errorf("beep %d at %v, want %v", s, at, want)
		}
	}
	if got := Beeps(make([]byte, 4*SampleRate)); got != nil {
		t.Errorf("beeps in silence: %v", got)
	}
	if got := Beeps([]byte{1, 2, 3}); got != nil {
		t.Errorf("beeps in nothing: %v", got)
	}
}

func TestSoundIsTheSameInPieces(t *testing.T) {
	for name, make := range map[string]func(Spec) (*Clip, error){"detail": NewDetail, "counted": NewCounted} {
		c, err := make(Spec{Width: 160, Height: 120})
		if err != nil {
			t.Fatal(err)
		}
		whole := c.Sound(47000, 3000)
		pieces := append(c.Sound(47000, 1), c.Sound(47001, 2999)...)
		if string(whole) != string(pieces) || len(whole) != 3000*SampleBytes {
			t.Errorf("%s: the sound depends on how it is asked for", name)
		}
	}
}

// TestInterlaced checks that the two fields are of different moments, and that
// each is the field that a progressive clip of twice the rate shows.
func TestInterlaced(t *testing.T) {
	spec := Spec{Width: 320, Height: 240, Rate: Ratio{25, 1}}
	spec.Interlaced = true
	woven := drawn(t, newCounted(t, spec), 5)
	spec.Interlaced, spec.Rate = false, Ratio{50, 1}
	double := newCounted(t, spec)
	for field := range 2 {
		moment := drawn(t, double, 10+field)
		for y := 80 + field; y < 240; y += 2 {
			if y > 100 && y < 160 { // the digits count frames
				continue
			}
			got := woven.Planes[0].Data[y*woven.Planes[0].Stride:][:320]
			want := moment.Planes[0].Data[y*moment.Planes[0].Stride:][:320]
			if string(got) != string(want) {
				t.Fatalf("line %d is not of field %d", y, field)
			}
		}
	}
}

func TestCircleIsRoundWhenShown(t *testing.T) {
	c := newCounted(t, Spec{Width: 720, Height: 576, Rate: Ratio{25, 1}, PixelAspect: Ratio{16, 15}})
	f := drawn(t, c, 5)
	level := func(x, y int) byte { return f.Planes[0].Data[y*f.Planes[0].Stride+x] }
	r := 576. / 6
	cx, cy := int(720-1.4*r*15/16), int(1.4*r)
	in := level(cx-20, cy+20)
	width, height := 0, 0
	for x := range 720 {
		if level(x, cy+1) == in {
			width++
		}
	}
	for y := range 576 {
		if level(cx-1, y) == in {
			height++
		}
	}
	if ratio := float64(width) * 16 / 15 / float64(height); math.Abs(ratio-1) > 0.03 {
		t.Errorf("the circle is %d × %d pixels of 16:15: %.3f", width, height, ratio)
	}
}

func FuzzReadNumber(f *testing.F) {
	f.Add([]byte("some bytes"), uint16(320), uint16(180), 1.0)
	f.Fuzz(func(_ *testing.T, data []byte, w, h uint16, scale float64) {
		l := frame.Layout{Format: frame.NV12, Width: int(w), Height: int(h)}
		picture := frame.Frame{Layout: l}
		picture.Planes[0] = frame.Plane{Data: data, Stride: int(w)}
		picture.Planes[1] = frame.Plane{Data: data, Stride: int(w) + int(w)%2}
		_, _ = ReadNumber(picture, scale)
	})
}

func FuzzBeeps(f *testing.F) {
	f.Add([]byte{0, 127, 0, 127, 0, 128, 0, 128, 9})
	f.Fuzz(func(t *testing.T, pcm []byte) {
		length := time.Duration(len(pcm)/SampleBytes) * time.Second / SampleRate
		for _, at := range Beeps(pcm) {
			if at < 0 || at > length {
				t.Fatalf("beep at %v of %v", at, length)
			}
		}
	})
}

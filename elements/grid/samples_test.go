package grid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// TestSamples sends pieces of a ramp, sample n of value n, with a rate of 1000: what
// comes out is the ramp on its places and silence elsewhere.
func TestSamples(t *testing.T) {
	type piece struct {
		at   time.Duration // stream time
		from int           // value of the first sample
		n    int
	}
	for _, c := range []struct {
		name   string
		plan   Samples
		pieces []piece
		want   map[int]int // first sample of what comes out to the value there; it goes on by one each
		quiet  []int       // samples that are silent
	}{
		{"as it is", Samples{0, 0, 300}, []piece{{0, 1, 100}, {100 * ms, 101, 200}}, map[int]int{0: 1, 100: 101, 299: 300}, nil},
		{"moved", Samples{time.Hour, 0, 300}, []piece{{time.Hour, 1, 300}}, map[int]int{0: 1, 299: 300}, nil},
		{"rounded times", Samples{0, 0, 300}, []piece{{0, 1, 100}, {107 * ms, 101, 100}, {181 * ms, 201, 100}}, map[int]int{0: 1, 100: 101, 200: 201}, nil},
		{"a hole", Samples{0, 0, 300}, []piece{{0, 1, 100}, {200 * ms, 201, 100}}, map[int]int{0: 1, 99: 100, 200: 201}, []int{100, 150, 199}},
		{"an overlap", Samples{0, 0, 300}, []piece{{0, 1, 100}, {50 * ms, 51, 100}, {150 * ms, 151, 150}}, map[int]int{0: 1, 99: 100, 100: 101, 150: 151, 299: 300}, nil},
		{"late", Samples{0, 0, 300}, []piece{{100 * ms, 101, 200}}, map[int]int{100: 101, 299: 300}, []int{0, 99}},
		{"short", Samples{0, 0, 300}, []piece{{0, 1, 100}}, map[int]int{0: 1, 99: 100}, []int{100, 299}},
		{"long", Samples{0, 0, 300}, []piece{{0, 1, 1000}, {time.Second, 1001, 100}}, map[int]int{0: 1, 299: 300}, nil},
		{"begun before the film", Samples{time.Hour, 0, 300}, []piece{{time.Hour - 50*ms, 1, 400}}, map[int]int{0: 51, 299: 350}, nil},
		{"from the middle", Samples{0, 120, 300}, []piece{{0, 1, 100}, {100 * ms, 101, 100}, {200 * ms, 201, 100}}, map[int]int{0: 121, 179: 300}, nil},
		{"from a hole", Samples{0, 120, 300}, []piece{{0, 1, 100}, {200 * ms, 201, 100}}, map[int]int{80: 201, 179: 300}, []int{0, 79}},
		{"first exact", Samples{0, 120, 300}, []piece{{113 * ms, 114, 187}}, map[int]int{0: 121, 179: 300}, nil},
		{"after the end", Samples{0, 0, 300}, []piece{{400 * ms, 401, 100}}, nil, []int{0, 299}},
		{"a hole of seconds", Samples{0, 0, 6000}, []piece{{0, 1, 100}, {5 * time.Second, 5001, 100}, {5100 * ms, 5101, 100}}, map[int]int{0: 1, 5000: 5001, 5199: 5200}, []int{100, 4999, 5200}},
		{"every other piece", Samples{0, 0, 500}, []piece{{0, 1, 100}, {200 * ms, 201, 100}, {400 * ms, 401, 100}}, map[int]int{0: 1, 99: 100, 200: 201, 299: 300, 400: 401, 499: 500}, []int{100, 199, 300, 399}},
		{"a wrong time", Samples{0, 0, 20_000}, []piece{{0, 1, 100}, {10 * time.Second, 101, 100}, {200 * ms, 201, 100}}, map[int]int{0: 1, 100: 101, 200: 201, 299: 300}, []int{300, 19_999}},
		{"a wrong time behind the end", Samples{0, 0, 300}, []piece{{0, 1, 100}, {time.Hour, 101, 100}, {200 * ms, 201, 100}}, map[int]int{0: 1, 100: 101, 200: 201, 299: 300}, nil},
		{"a wrong time first", Samples{0, 0, 300}, []piece{{time.Hour, 1, 100}, {100 * ms, 101, 100}, {200 * ms, 201, 100}}, map[int]int{100: 101, 200: 201, 299: 300}, []int{0, 99}},
		{"a wrong time last", Samples{0, 0, 300}, []piece{{0, 1, 100}, {time.Hour, 101, 100}}, map[int]int{0: 1, 99: 100}, []int{100, 299}},
		{"a silence of hours", Samples{0, 0, 7200_000}, []piece{{7199 * time.Second, 1, 1000}}, map[int]int{7199_000: 1}, []int{0, 7198_999}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			p := gsttest.Launch(t, fmt.Sprintf("appsrc name=in format=time caps=%q ! samplegrid name=grid ! filesink async=false location=%s",
				"audio/x-raw,format=F32LE,layout=interleaved,rate=1000,channels=1", out))
			p.By("grid", func(e *gsttest.Element) {
				if err := SetSamples(e.Pointer(), c.plan); err != nil {
					t.Fatal(err)
				}
			})
			if !p.SetState(gsttest.Playing) {
				t.Fatal("it does not start")
			}
			for _, piece := range c.pieces {
				data := make([]byte, 0, 4*piece.n)
				for i := range piece.n {
					data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(piece.from+i)))
				}
				p.PushBytes("in", data, piece.at)
			}
			p.End("in")
			if m := p.Message(gsttest.MessageEOS|gsttest.MessageError, 10*time.Second); m == nil || m.Type != gsttest.MessageEOS {
				t.Fatalf("%+v", m)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if want := int(c.plan.End - c.plan.First); len(data) != 4*want {
				t.Fatalf("%d samples, want %d", len(data)/4, want)
			}
			value := func(i int) int { return int(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))) }
			for i, want := range c.want {
				if value(i) != want {
					t.Errorf("sample %d has the value %d, want %d", i, value(i), want)
				}
			}
			for _, i := range c.quiet {
				if value(i) != 0 {
					t.Errorf("sample %d has the value %d and not silence", i, value(i))
				}
			}
		})
	}
}

func TestSamplesOfAnotherElement(t *testing.T) {
	e, err := gsttest.Make("segmentgrid")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := SetSamples(e.Pointer(), Samples{}); !errors.Is(err, ErrNotElement) {
		t.Error(err)
	}
}

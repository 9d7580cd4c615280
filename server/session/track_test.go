package session

import (
	"testing"

	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestPictureFallsShort proves that a picture which is shown for long is taken for
// the rest of its segment, and one that ends too early is not.
func TestPictureFallsShort(t *testing.T) {
	film := fakeFilm(4)
	line, err := hls.NewTimeline(&film)
	if err != nil {
		t.Fatal(err)
	}
	p := picture{line}
	begin, end := p.begin(2), p.end(2)
	tick := (end - begin) / 10
	for _, c := range []struct {
		last, lasts int64
		short       bool
	}{{end - tick, tick, false}, {begin + tick, end - begin - tick, false}, {begin + tick, tick, true}, {end - tick, tick - 1, true}} {
		packets := []wire.Packet{{PTS: begin, Duration: c.last - begin}, {PTS: c.last, Duration: c.lasts}}
		if p.short(2, packets) != c.short {
			t.Errorf("a picture at %d of %d to %d for %d: short %v", c.last, begin, end, c.lasts, !c.short)
		}
	}
}

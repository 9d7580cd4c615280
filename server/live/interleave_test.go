package live

import (
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const ms = time.Millisecond

// put puts a packet and returns the times of those whose turn it is, those of sound below 0.
func (i *interleave) test(run uint32, at time.Duration) []time.Duration {
	var ready []time.Duration
	i.put(timed{at, wire.Packet{Run: run}}, func(next timed) {
		if next.packet.Run == wire.RelayAudio {
			next.at = -next.at
		}
		ready = append(ready, next.at)
	})
	return ready
}

func TestInterleave(t *testing.T) {
	t.Parallel()
	i := newInterleave(wire.RelayVideo, wire.RelayAudio)
	for _, step := range []struct {
		run  uint32
		at   time.Duration
		want []time.Duration
	}{
		{wire.RelayVideo, 0, nil},
		{wire.RelayVideo, 40 * ms, nil},
		{wire.RelayAudio, 10 * ms, []time.Duration{0, -10 * ms}},
		{wire.RelayAudio, 30 * ms, []time.Duration{-30 * ms}},
		{wire.RelayAudio, 50 * ms, []time.Duration{40 * ms}},
		{wire.RelayVideo, 80 * ms, []time.Duration{-50 * ms}},
		{wire.RelayVideo, 700 * ms, nil},
		{wire.RelayVideo, 780 * ms, []time.Duration{80 * ms}}, // sound is not waited for any longer
		{wire.RelayVideo, 1500 * ms, []time.Duration{700 * ms, 780 * ms}},
		{wire.RelayAudio, 60 * ms, []time.Duration{-60 * ms}}, // late, and still handed on
	} {
		if got := i.test(step.run, step.at); !slices.Equal(got, step.want) {
			t.Errorf("after run %d at %s come %v, want %v", step.run, step.at, got, step.want)
		}
	}
	var rest []time.Duration
	i.test(wire.RelayVideo, 1600*ms)
	i.test(wire.RelayVideo, 1640*ms)
	if i.flush(func(t timed) { rest = append(rest, t.at) }); !slices.Equal(rest, []time.Duration{1500 * ms, 1600 * ms, 1640 * ms}) {
		t.Errorf("at the end come %v", rest)
	}
	alone := newInterleave(wire.RelayVideo)
	if got := alone.test(wire.RelayVideo, time.Second); !slices.Equal(got, []time.Duration{time.Second}) {
		t.Errorf("a picture without sound comes as %v", got)
	}
}

// TestInterleaveIsBounded sends sound that stands still, without a picture, as packets without end and as large ones.
func TestInterleaveIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ size, packets int }{"many": {0, 3 * most}, "large": {1 << 20, 40}} {
		i := newInterleave(wire.RelayVideo, wire.RelayAudio)
		ready := 0
		for range c.packets {
			i.put(timed{0, wire.Packet{Run: wire.RelayAudio, Data: make([]byte, c.size)}}, func(timed) { ready++ })
			if waits := len(i.queues[wire.RelayAudio]); waits > most || waits*c.size > backlogBytes {
				t.Fatalf("%s: %d packets wait", name, waits)
			}
		}
		if i.flush(func(timed) { ready++ }); ready != c.packets || i.held != 0 || i.bytes != 0 {
			t.Errorf("%s: %d of %d come, and %d packets of %d bytes are left", name, ready, c.packets, i.held, i.bytes)
		}
	}
}

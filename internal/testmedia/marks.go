package testmedia

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

// Mark is a whole second of a Counted clip, where it flashes and beeps.
type Mark struct {
	Frame  int           // the first frame of the flash
	PTS    time.Duration // of that frame
	Sample int64         // the first sample of the beep
}

// Lit reports whether a picture made of a Counted clip belongs to a flash. It
// looks at the bottom eighth of the picture, which holds nothing else.
func Lit(f frame.Frame) bool {
	return picture.Mean(f, 0, f.Height*7/8, f.Width, f.Height) > 180.0/255*picture.Peak(f.Format)
}

// Flashes returns the presentation times at which flashes begin: those of the
// pictures that are lit after one that is not, or at the very start. The two
// slices go together.
func Flashes(pts []time.Duration, lit []bool) []time.Duration {
	var onsets []time.Duration
	for i, on := range lit {
		if on && (i == 0 || !lit[i-1]) {
			onsets = append(onsets, pts[i])
		}
	}
	return onsets
}

// Beeps returns the times from the first sample at which beeps of 1 kHz begin
// in S16LE stereo sound of 48 kHz, right to 1 ms also after lossy coding. Both
// channels are looked at together; sound below 1 % of full scale is silence.
func Beeps(pcm []byte) []time.Duration {
	levels := tone(pcm)
	var peak float64
	for _, v := range levels {
		peak = max(peak, v)
	}
	if peak < 0.01 {
		return nil
	}
	// The window is one period long, so the level climbs in a straight line
	// over the first period of a beep and reaches half its height half a period
	// after the onset. A codec's pre-echo stays below that.
	const window = SampleRate / beepHz
	var onsets []time.Duration
	quiet := beepSamples // samples since the level was last high
	for i, v := range levels {
		if v < peak/2 {
			quiet++
			continue
		}
		if quiet >= beepSamples/2 {
			at := float64(i + 1)
			if i > 0 {
				at -= (v - peak/2) / (v - levels[i-1])
			}
			at = max(at-window/2, 0)
			onsets = append(onsets, time.Duration(math.Round(at/SampleRate*float64(time.Second))))
		}
		quiet = 0
	}
	return onsets
}

// tone returns the amplitude of 1 kHz, 0 to 1, in the window of one period that
// ends with each sample.
func tone(pcm []byte) []float64 {
	const window = SampleRate / beepHz
	n := len(pcm) / SampleBytes
	levels := make([]float64, n)
	var ring [window]float64
	var re, im float64
	for i := range n {
		at := pcm[i*SampleBytes:]
		left := int16(binary.LittleEndian.Uint16(at))
		right := int16(binary.LittleEndian.Uint16(at[2:]))
		v := (float64(left) + float64(right)) / (2 * -math.MinInt16)
		sin, cos := math.Sincos(2 * math.Pi * float64(i%window) / window)
		re += (v - ring[i%window]) * cos
		im += (v - ring[i%window]) * sin
		ring[i%window] = v
		levels[i] = 2 * math.Hypot(re, im) / window
	}
	return levels
}

package workertest

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// sourceSize is the size of every film's picture; the code of a frame's number
// has room in it.
var sourceSize = [2]int{240, 134}

// varyingScale is the time scale of films whose rate varies, and varyingTicks the
// durations of their pictures in turn.
const varyingScale = 90000

var varyingTicks = [...]int64{3000, 4500, 3750}

// scaleOf returns the scale that a model's id ends with, as in "swift-s-x2"; 2 for
// ids that say none.
func scaleOf(model string) int {
	if m := scaleSuffix.FindStringSubmatch(model); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n
		}
	}
	return 2
}

var scaleSuffix = regexp.MustCompile(`-x([1-4])$`)

// sizeOf returns the size of the picture that is encoded.
func sizeOf(u wire.Upscale, v wire.Video) [2]int {
	height := sourceSize[1] * scaleOf(u.Model)
	if v.Height > 0 {
		height = max(v.Height, sourceSize[1]) &^ 1
	}
	return [2]int{(height*sourceSize[0]/sourceSize[1] + 1) &^ 1, height}
}

// opened returns what a worker tells of a film.
func (f *Film) opened(o wire.Open) *wire.Opened {
	grid := f.grid(o.Segment)
	info := &wire.Opened{
		Container: "JSON",
		Duration:  grid.duration(f),
		Segment:   wire.Segment{Ticks: grid.segment, Frames: grid.frames},
		Video: wire.VideoInfo{
			TimeScale: grid.scale, Rate: f.Rate, SourceSize: sourceSize, Size: sizeOf(o.Upscale, o.Video),
			Aspect: [2]int{1, 1}, Scale: scaleOf(o.Upscale.Model), MaxRate: 400, Codec: "none", Decoder: []string{"arithmetic"},
		},
		Audio: []wire.AudioInfo{},
		Text:  []wire.TextInfo{},
		Plan:  []string{"The pictures are drawn."},
		Cost:  wire.Cost{CoreMS: f.Cost, Upscale: f.Cost},
	}
	for _, a := range f.Audio {
		first, frames := a.frames(info.Duration)
		info.Audio = append(info.Audio, wire.AudioInfo{
			Language: a.Language, Title: a.Title, Codec: "none", Passed: a.Passed, Delivered: wire.AudioAAC, Rate: a.Rate, Channels: a.Channels,
			FrameSamples: frameSamples, First: first, Frames: frames, BitRate: 16000, Default: a.Default,
		})
	}
	for _, s := range f.Text {
		info.Text = append(info.Text, wire.TextInfo{
			Language: s.Language, Title: s.Title, Codec: "none", Bitmap: s.Bitmap, Forced: s.Forced, Default: s.Default,
		})
	}
	return info
}

// frames returns the begin of the first frame in samples, and how many there are.
func (a *Sound) frames(film time.Duration) (first, count int64) {
	end := film
	if a.Passed {
		end = min(film, time.Duration(a.First+a.Duration))
	}
	first = samples(time.Duration(a.First), a.Rate)
	return first, max(0, ceilDiv(samples(end, a.Rate)-first, frameSamples))
}

// grid is how a film's pictures and segments lie in time, in ticks.
type grid struct {
	scale   int64 // ticks a second
	frame   int64 // duration of a picture, 0 where it varies
	segment int64 // length of a segment
	frames  int   // of a segment, 0 where it varies
}

// grid lays the film out in segments of about a length.
func (f *Film) grid(wished time.Duration) grid {
	if wished <= 0 {
		wished = time.Second
	}
	if f.Rate[0] == 0 {
		return grid{scale: varyingScale, segment: max(1, int64(wished.Seconds()*varyingScale))}
	}
	// A whole number of ticks for a picture, and enough of them in a second.
	scale, frame := int64(f.Rate[0]), int64(f.Rate[1])
	for scale < 10000 {
		scale, frame = scale*10, frame*10
	}
	frames := max(1, int64(wished.Seconds()*float64(scale)/float64(frame)+0.5))
	return grid{scale: scale, frame: frame, segment: frames * frame, frames: int(frames)}
}

// duration returns how long the film lasts: that of its pictures, which are held
// until all else has ended.
func (g grid) duration(f *Film) time.Duration {
	longest := f.Duration
	for _, a := range f.Audio {
		longest = max(longest, a.First+a.Duration)
	}
	if g.frame == 0 {
		return time.Duration(longest)
	}
	pictures := ceilDiv(int64(longest)*g.scale, int64(time.Second)*g.frame)
	return time.Duration(pictures * g.frame * int64(time.Second) / g.scale)
}

// end returns the film's end in ticks.
func (g grid) end(f *Film) int64 {
	d := g.duration(f)
	ticks := (int64(d)*g.scale + int64(time.Second)/2) / int64(time.Second)
	return ticks
}

// start returns when a segment begins, rounded up to whole units of a scale: what
// begins at or after it belongs to the segment.
func (g grid) start(segment int, scale int64) int64 {
	return ceilDiv(int64(segment)*g.segment*scale, g.scale)
}

func samples(d time.Duration, rate int) int64 {
	return int64(d)/int64(time.Second)*int64(rate) + int64(d)%int64(time.Second)*int64(rate)/int64(time.Second)
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// cueText says which cue of which track it is.
func cueText(track int, number int64) string { return fmt.Sprintf("track %d cue %d", track, number) }

package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/filters"
)

// Container is the kind of file that is written.
type Container string

// The containers.
const (
	Matroska Container = "mkv"
	MP4      Container = "mp4"
	TS       Container = "ts" // MPEG-TS
)

// VideoCodec is what the upscaled picture is encoded with.
type VideoCodec string

// The video codecs.
const (
	H264 VideoCodec = "h264"
	HEVC VideoCodec = "hevc"
	AV1  VideoCodec = "av1"
	VP9  VideoCodec = "vp9"
)

// Speed trades encoding time for size at equal quality.
type Speed string

// The speeds.
const (
	Fast     Speed = "fast"
	Balanced Speed = "balanced"
	Best     Speed = "best"
)

// AudioMode says how sound is carried over.
type AudioMode string

// The modes.
const (
	AudioKeep AudioMode = ""     // as it is where the container takes it, encoded otherwise
	AudioCopy AudioMode = "copy" // as it is, or not at all
	AudioAAC  AudioMode = "aac"
	AudioOpus AudioMode = "opus"
	AudioNone AudioMode = "none"
)

// Spec says what to make of a file.
type Spec struct {
	Output    string // path of the file that is written
	Stream    bool   // it cannot be gone back in, as a pipe
	Container Container
	Model     string // id or path
	Scale     int    // of the model, 1 to 4
	Provider  string
	Device    int
	Strength  float64    // 0 to 1
	Height    int        // of the upright picture in rows, 0 for the source's times Scale
	Codec     VideoCodec // "" for H264, and for HEVC where the source is HDR
	Quality   int        // constant quality in the codec's own scale, -1 for the codec's default
	Speed     Speed
	Audio     AudioMode
	Track     int               // the one track of sound that is kept, from 1 on; 0 keeps all
	Filters   *filters.Settings // nil for none
	Cube      *filters.Cube     // that Filters.LUT names, nil for none
	Threads   Threads
	Start     time.Duration // into the source
	Duration  time.Duration // 0 for all
}

// Threads shares the cores among the stages. 0 leaves it to the element.
type Threads struct{ Decode, Upscale, Encode int }

// ShareCores splits n cores: inference gets all of them, for it is the longest
// stage and its threads do not spin; x264 gets as many, for its threads sleep
// while there is no picture to work on.
func ShareCores(n int) Threads { return Threads{Decode: min(n, 4), Upscale: n, Encode: n} }

// Check refuses what can be refused without a look at the file. Errors are of type *Error.
func (s Spec) Check() error {
	switch {
	case !slices.Contains([]Container{Matroska, MP4, TS}, s.Container):
		return fail(CodeSpec, nil, "container: must be mkv, mp4 or ts (got %q)", s.Container)
	case !slices.Contains([]AudioMode{AudioKeep, AudioCopy, AudioAAC, AudioOpus, AudioNone}, s.Audio):
		return fail(CodeSpec, nil, "audio: must be copy, aac, opus or none (got %q)", s.Audio)
	case s.Filters != nil && s.Filters.LUT != "" && s.Cube == nil:
		return fail(CodeSpec, nil, "lut: the table is missing")
	case s.Scale < 1 || s.Scale > 4:
		return fail(CodeSpec, nil, "scale: must be 1 to 4 (got %d)", s.Scale)
	case s.Strength < 0 || s.Strength > 1:
		return fail(CodeSpec, nil, "strength: must be 0 to 1 (got %g)", s.Strength)
	case s.Height < 0 || s.Height > 8640 || s.Height%2 != 0:
		return fail(CodeSpec, nil, "height: must be an even number up to 8640 (got %d)", s.Height)
	case s.Start < 0 || s.Duration < 0:
		return fail(CodeSpec, nil, "start and duration: must not be negative")
	}
	if s.Codec != "" {
		c, ok := codecTable[s.Codec]
		if !ok {
			return fail(CodeSpec, nil, "video codec: must be h264, hevc, av1 or vp9 (got %q)", s.Codec)
		}
		if s.Quality > c.worst || s.Quality < -1 {
			return fail(CodeSpec, nil, "quality: must be 0 to %d for %s (got %d)", c.worst, s.Codec, s.Quality)
		}
		if s.Container == TS && s.Codec != H264 && s.Codec != HEVC {
			return fail(CodeSpec, nil, "video codec: MPEG-TS takes h264 and hevc (got %s)", s.Codec)
		}
	}
	if !slices.Contains([]Speed{Fast, Balanced, Best}, s.Speed) {
		return fail(CodeSpec, nil, "speed: must be fast, balanced or best (got %q)", s.Speed)
	}
	return nil
}

// filtered reports whether something is done with the picture beside the upscale.
func (s Spec) filtered() bool { return s.Filters != nil && !s.Filters.IsNeutral() }

// String tells the range of a request in a log line.
func (s Spec) String() string {
	return fmt.Sprintf("%s ×%d %s %s %s", s.Model, s.Scale, s.Codec, s.Speed, s.Container)
}

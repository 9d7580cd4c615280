package session

import (
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Settings say how the picture is made.
type Settings struct {
	Model    string // id
	Provider string
	Device   int
	Threads  int     // 0: all cores
	Strength float64 // 0 to 1
	Filters  filters.Settings
	Cube     []byte // text of the file that Filters.LUT names
	Height   int    // rows, 0: the source's times the model's scale
	Quality  int    // of x264, 0 to 51, -1: the usual
	MaxRate  int    // kbit/s, 0: the usual of the size
	Burn     int    // number of the subtitles that are drawn into the picture, -1: none
}

// Upscale returns what of the settings the element does.
func (s Settings) Upscale() wire.Upscale { return s.upscale() }

func (s Settings) upscale() wire.Upscale {
	return wire.Upscale{
		Model: s.Model, Provider: s.Provider, Device: s.Device, Strength: s.Strength,
		Threads: s.Threads, Filters: s.Filters, Cube: s.Cube,
	}
}

func (s Settings) video() wire.Video {
	return wire.Video{Height: s.Height, Quality: s.Quality, MaxRate: s.MaxRate}
}

// Change is what Session.Set changes; nil leaves as it is. Values must be within
// their ranges.
type Change struct {
	Model    *string
	Strength *float64
	Filters  *filters.Settings
	Cube     []byte // goes with Filters
	Height   *int
	Quality  *int
	Burn     *int
	// From is the time of the film from which on segments that are there already
	// are made anew. Without it what is made stays.
	From *time.Duration
}

// Apply returns the settings after the change.
func (c Change) Apply(s Settings) Settings {
	set(&s.Model, c.Model)
	set(&s.Strength, c.Strength)
	set(&s.Height, c.Height)
	set(&s.Quality, c.Quality)
	set(&s.Burn, c.Burn)
	if c.Filters != nil {
		s.Filters, s.Cube = *c.Filters, c.Cube
	}
	return s
}

// Live returns the part that takes effect between two frames.
func (c Change) Live() wire.Set {
	return wire.Set{Model: c.Model, Strength: c.Strength, Filters: c.Filters, Cube: c.Cube}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

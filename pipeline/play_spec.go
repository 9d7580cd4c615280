package pipeline

import (
	"slices"

	"github.com/upscaled-media/upscaled/filters"
)

// PlaySpec says how the picture of a film is made for a player.
type PlaySpec struct {
	Model    string // id or path
	Scale    int    // of the model, 1 to 4
	Provider string
	Device   int
	Strength float64 // 0 to 1
	Filters  filters.Settings
	Cube     *filters.Cube // that Filters.LUT names, nil for none
	Threads  Threads
	Height   int // of the upright picture in rows, 0 for the source's times Scale
	Quality  int // of x264, 0 to 51, -1 for PlayQuality
	MaxRate  int // kbit/s, 0 for the usual of the size
	Burn     int // number in PlayPlan.Text of bitmap subtitles that are drawn in, -1 for none
	Sound    SoundCodec
}

// PlayQuality is the constant quality of x264 where none is asked for.
const PlayQuality = 22

// spec returns what a session and a transcode have in common.
func (s PlaySpec) spec() Spec {
	return Spec{
		Container: MP4, Model: s.Model, Scale: s.Scale, Provider: s.Provider, Device: s.Device, Strength: s.Strength,
		Height: s.Height, Codec: H264, Quality: max(s.Quality, -1), Speed: Fast, Threads: s.Threads,
	}
}

// PlayPlan is how the streams of a film are made for a player.
type PlayPlan struct {
	Spec     PlaySpec // with every choice made
	Media    Media
	Timeline Timeline
	Width    int // of the picture that is encoded, in pixels
	Height   int
	Aspect   Fraction // of a pixel
	Audio    []SoundPlan
	Text     []TextPlan
	Notes    []string // what is changed and lost, one sentence each
	InOneGo  bool     // every run reads the film from its beginning; see Extent.outlasts

	picture []Node // from the decoder to the encoder
}

// SoundPlan is how a track of sound is made: in frames of FrameSamples.
type SoundPlan struct {
	Track
	Codec    SoundCodec
	Passed   bool  // as it is in the film
	Rate     int   // samples a second
	Channels int   // that are delivered
	First    int64 // begin of the first frame that is delivered, in samples of the film's time
	Frames   int64
	BitRate  int  // bit/s, 0 where it is not known
	Opus     bool // of a live stream: Opus in place of AAC
}

// NewPlayPlan decides how a film is played. It is pure: has tells which element
// factories there are. Errors are of type *Error.
func NewPlayPlan(m Media, t Timeline, x Extent, s PlaySpec, has func(factory string) bool) (PlayPlan, error) {
	if err := s.spec().Check(); err != nil {
		return PlayPlan{}, err
	}
	if transfer := hdrTransfer(m.Video.Colorimetry); transfer != "" {
		return PlayPlan{}, fail(CodeHDR, nil, "the film is HDR (%s), which a session does not deliver: its picture would have wrong colours; transcode it to HEVC", transfer)
	}
	text, lost := newTextPlans(m)
	if s.Burn >= len(text) || s.Burn >= 0 && !text[s.Burn].Bitmap {
		return PlayPlan{}, fail(CodeSpec, nil, "burn: there are no bitmap subtitles %d in the film", s.Burn)
	}
	p := Plan{Spec: s.spec(), Media: m, narrow: true, anew: map[uint64]bool{}}
	picture, err := p.playPicture(s, has)
	if err != nil {
		return PlayPlan{}, err
	}
	play := PlayPlan{Spec: s, Media: m, Timeline: t, Width: p.Width, Height: p.Height, Aspect: p.Aspect(), Text: text, InOneGo: x.outlasts(m), picture: picture}
	play.Spec.MaxRate = s.maxRate(p.Width, p.Height)
	for _, a := range m.Audio {
		play.Audio = append(play.Audio, newSoundPlan(a, t, x, s.Sound))
	}
	play.Notes = slices.Concat(p.Changed, p.Lost, lost)
	return play, nil
}

// maxRate returns the bound of the bit rate in kbit/s: enough that quality is
// seldom limited by it, and what a playlist tells a player to reckon with.
func (s PlaySpec) maxRate(w, h int) int {
	if s.MaxRate > 0 {
		return s.MaxRate
	}
	const kbitPerMegapixel = 12000
	return max(1000, w*h/1000*kbitPerMegapixel/1000)
}

// Aspect returns the shape of a pixel of the written picture.
func (p *Plan) Aspect() Fraction {
	v := p.Media.Video
	w, h, a := v.Width, v.Height, v.PixelAspect
	if turned(v.Orientation) {
		w, h, a = h, w, Fraction{a.Den, a.Num}
	}
	if a == (Fraction{1, 1}) || p.Width == w*p.Spec.Scale && p.Height == h*p.Spec.Scale {
		return a
	}
	return reduced(w*a.Num*p.Height, h*a.Den*p.Width)
}

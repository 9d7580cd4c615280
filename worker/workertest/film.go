package workertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Film is what a worker of this package finds in a source. The zero value of each
// field stands for what is said beside it.
type Film struct {
	Duration Length   `json:"duration,omitzero"` // 10s
	Rate     [2]int   `json:"rate,omitzero"`     // 24/1; 0/1 for a rate that varies
	Audio    []Sound  `json:"audio,omitempty"`
	Text     []Titles `json:"text,omitempty"`
	// Speed bounds how fast packets are made, in seconds of film a second; 0 for
	// no bound.
	Speed float64 `json:"speed,omitzero"`
	Cost  float64 `json:"cost,omitzero"` // Cost.CoreMS; 500
	// Of a transcode: the bytes that follow the film in the source from which a picture
	// is made, 0 for none, and those that it makes of a picture, 4096 where it is 0. The
	// film ends where nothing more is fed, or with its Duration.
	Feed    int     `json:"feed,omitzero"`
	Block   int     `json:"block,omitzero"`
	Trouble Trouble `json:"trouble,omitzero"`
}

// Sound is a track of sound.
type Sound struct {
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Rate     int    `json:"rate,omitzero"`     // 48000
	Channels int    `json:"channels,omitzero"` // 2
	Passed   bool   `json:"passed,omitzero"`
	Default  bool   `json:"default,omitzero"`
	// Of a track that is passed: where it begins and how long it lasts. Others
	// are filled with silence from 0 to the film's end.
	First    Length `json:"first,omitzero"`
	Duration Length `json:"duration,omitzero"` // until the film's end
}

// Titles are a track of subtitles: a cue each Every, half as long, the first at
// Every.
type Titles struct {
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Every    Length `json:"every,omitzero"` // 3s
	Bitmap   bool   `json:"bitmap,omitzero"`
	Forced   bool   `json:"forced,omitzero"`
	Default  bool   `json:"default,omitzero"`
}

// Trouble is what goes wrong.
type Trouble struct {
	Kind Kind `json:"kind"`
	// After is how many packets of the stream are sent before, or pictures of a
	// transcode written; troubles of Open and of the start do not look at it.
	After int `json:"after,omitzero"`
	// Stream is the kind of stream whose packets are counted: video.
	Stream wire.StreamKind `json:"stream,omitempty"`
	// Of Refuse and Fail: the code, and the sentence.
	Code     string `json:"code,omitempty"`
	Sentence string `json:"sentence,omitempty"`
}

// Kind names a trouble.
type Kind string

// The troubles. Those of the start are caused through Env; all others in a Film.
const (
	ExitAtStart   Kind = "exit_at_start"   // status 3, before Hello
	AbortAtStart  Kind = "abort_at_start"  // SIGABRT, before Hello
	SilentAtStart Kind = "silent_at_start" // never Hello
	OldAtStart    Kind = "old_at_start"    // Hello of another version
	NoiseAtStart  Kind = "noise_at_start"  // bytes that are no frame

	Refuse   Kind = "refuse"    // the Reply to Open or Prepare is an error
	DeadOpen Kind = "dead_open" // no Reply to Open or Prepare, but Stats

	Abort   Kind = "abort"   // SIGABRT after a line on stderr: Go's runtime tells of it and exits with 2
	Kill    Kind = "kill"    // SIGKILL
	Exit    Kind = "exit"    // status 3
	Hang    Kind = "hang"    // no frame any more, and none read
	Mute    Kind = "mute"    // no Stats any more
	Stall   Kind = "stall"   // no packet any more, nor Ended, but Stats
	Deaf    Kind = "deaf"    // reads no frame any more
	Fail    Kind = "fail"    // the run ends with an error
	Noise   Kind = "noise"   // bytes that are no frame
	Huge    Kind = "huge"    // a frame's head that announces 4 GiB
	Surplus Kind = "surplus" // a frame of a server's kind
)

// Bounds of what a film may be, within which no product of times overflows.
const (
	maxDuration = Length(6 * time.Hour)
	maxRate     = 120000
)

// Length is a time that JSON holds as "1m30s".
type Length time.Duration

// MarshalText implements encoding.TextMarshaler.
func (l Length) MarshalText() ([]byte, error) { return []byte(time.Duration(l).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Length) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*l = Length(d)
	return err
}

// Bytes returns the film as the content of a source.
func (f Film) Bytes() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // no field can fail
	}
	return b
}

// ParseFilm reads a film, fills in what is left out, and checks it.
func ParseFilm(content []byte) (Film, error) {
	var f Film
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("film: %w", err)
	}
	f.fill()
	return f, f.check()
}

func (f *Film) fill() {
	set(&f.Duration, Length(10*time.Second))
	set(&f.Rate, [2]int{24, 1})
	set(&f.Cost, 500)
	set(&f.Block, 4096)
	set(&f.Trouble.Stream, wire.StreamVideo)
	for i := range f.Audio {
		a := &f.Audio[i]
		set(&a.Rate, 48000)
		set(&a.Channels, 2)
		if set(&a.Duration, max(0, f.Duration-a.First)); !a.Passed {
			a.First, a.Duration = 0, f.Duration
		}
	}
	for i := range f.Text {
		set(&f.Text[i].Every, Length(3*time.Second))
	}
}

// set gives a field that is zero its default.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (f *Film) check() error {
	if f.Duration < 0 || f.Duration > maxDuration || f.Speed < 0 {
		return fmt.Errorf("film: no duration of %s, or speed of %g", time.Duration(f.Duration), f.Speed)
	}
	if f.Feed < 0 || f.Feed > maxFilm || f.Block < 0 || f.Block > maxFilm {
		return fmt.Errorf("film: pictures of %d bytes from %d", f.Block, f.Feed)
	}
	if f.Rate[0] < 0 || f.Rate[0] > maxRate || f.Rate[1] <= 0 || f.Rate[1] > maxRate {
		return fmt.Errorf("film: no rate of %d/%d", f.Rate[0], f.Rate[1])
	}
	for _, a := range f.Audio {
		if !slices.Contains(aacRates, a.Rate) || a.Channels < 1 || a.Channels > 2 ||
			a.First < 0 || a.First > maxDuration || a.Duration < 0 || a.Duration > maxDuration {
			return fmt.Errorf("film: no AAC of %d Hz and %d channels from %s for %s", a.Rate, a.Channels, time.Duration(a.First), time.Duration(a.Duration))
		}
	}
	for _, s := range f.Text {
		if s.Every < 0 {
			return errors.New("film: no cues at negative times")
		}
	}
	return nil
}

// Ground returns the luma around the number in a picture made with a strength.
func Ground(strength float64) byte {
	return byte(40 + 160*min(max(strength, 0), 1))
}

package playback

import (
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Order is what a client asks for when it creates a session.
type Order struct {
	Source   string   `json:"source" minLength:"1" maxLength:"4096" example:"films/night-train.mkv" doc:"The film: ROOT/path/below/it of a configured root, or a URL of a configured host."`
	Live     bool     `json:"live,omitempty" doc:"Whether an http or https URL is a live stream, MPEG-TS or an HLS playlist; one of rtsp or rtsps always is."`
	Model    string   `json:"model,omitempty" maxLength:"128" example:"swift-s-x2" doc:"Id of the model, one of /v1/models; models.default without."`
	Provider string   `json:"provider,omitempty" enum:"auto,tensorrt,cuda,openvino,webgpu,cpu" doc:"What runs the model; models.provider without."`
	Device   int      `json:"device,omitempty" minimum:"0" maximum:"63" doc:"Number of the provider's device."`
	Strength *float64 `json:"strength,omitempty" minimum:"0" maximum:"1" doc:"Share of the model in the picture; the rest is a plain upscale. 1 without."`
	Look
	Output    Output  `json:"output,omitempty" doc:"How picture and sound are encoded."`
	Audio     *int    `json:"audio,omitempty" minimum:"0" maximum:"999" doc:"Number of the audio track that plays by default; the film's own choice without."`
	Subtitles *int    `json:"subtitles,omitempty" minimum:"0" maximum:"999" doc:"Number of the text subtitles that are shown by default; the film's own choice without."`
	Burn      *int    `json:"burn,omitempty" minimum:"0" maximum:"999" doc:"Number of the bitmap subtitles that are drawn into the picture; none without."`
	Start     float64 `json:"start,omitempty" minimum:"0" maximum:"1000000" doc:"Seconds of the film at which the player begins."`
}

// Look is how the picture is graded.
type Look struct {
	Preset  string             `json:"preset,omitempty" maxLength:"64" example:"warm" doc:"One of the presets of /v1/filters."`
	Filters *filters.Overrides `json:"filters,omitempty" doc:"Values in place of the preset's. What is out of its range is moved to its end, and named in the answer."`
}

// Output is how the picture is encoded, which is H.264, and the sound.
type Output struct {
	Height  *int           `json:"height,omitempty" minimum:"0" maximum:"4320" doc:"Rows of the picture; 0: the source's times the model's scale."`
	Quality *int           `json:"quality,omitempty" minimum:"-1" maximum:"51" doc:"x264's constant rate factor, lower is better; -1: the usual."`
	MaxRate *int           `json:"max_rate,omitempty" minimum:"0" maximum:"200000" doc:"Bound of the bit rate in kbit/s; 0: the usual of the size."`
	Sound   wire.AudioMode `json:"sound,omitempty" enum:"aac,opus" doc:"What sound is delivered as; aac without. WebRTC takes opus alone; not every player of HLS does."`
}

// Change is what a client changes of a session while it plays; what is absent, or
// null, stays.
type Change struct {
	Model    *string  `json:"model,omitempty" maxLength:"128" doc:"Id of another model. One of the same scale takes over between two frames, another begins a new part of the playlist."`
	Strength *float64 `json:"strength,omitempty" minimum:"0" maximum:"1" doc:"Share of the model in the picture."`
	Look
	Height  *int     `json:"height,omitempty" minimum:"0" maximum:"4320" doc:"Rows of the picture; 0: the source's times the model's scale."`
	Quality *int     `json:"quality,omitempty" minimum:"-1" maximum:"51" doc:"x264's constant rate factor; -1: the usual."`
	Burn    *int     `json:"burn,omitempty" minimum:"-1" maximum:"999" doc:"Number of the bitmap subtitles that are drawn into the picture; -1: none."`
	From    *float64 `json:"from,omitempty" minimum:"0" maximum:"1000000" doc:"Seconds of the film from which on what is made already is made anew; without it that stays."`
}

// Seek says where the player goes.
type Seek struct {
	Position float64 `json:"position" minimum:"0" maximum:"1000000" example:"754.2" doc:"Seconds of the film."`
}

// Ping says that the player is still there.
type Ping struct {
	Position *float64 `json:"position,omitempty" minimum:"0" maximum:"1000000" doc:"Seconds of the film at which it plays."`
}

// Defaults are used where an Order does not say.
type Defaults struct {
	Model    string
	Provider string
}

// request returns what an order means to a session, without its Filters.
func (o *Order) request(d Defaults) session.Request {
	r := session.Request{
		Source: o.Source, Sound: o.Output.Sound, Audio: number(o.Audio, -1), Text: number(o.Subtitles, -1), Start: seconds(o.Start),
		Settings: session.Settings{
			Model: o.Model, Provider: o.Provider, Device: o.Device, Strength: 1, Height: number(o.Output.Height, 0),
			Quality: number(o.Output.Quality, -1), MaxRate: number(o.Output.MaxRate, 0), Burn: number(o.Burn, -1),
		},
	}
	if o.Strength != nil {
		r.Settings.Strength = *o.Strength
	}
	if r.Settings.Model == "" {
		r.Settings.Model = d.Model
	}
	if r.Settings.Provider == "" {
		r.Settings.Provider = d.Provider
	}
	return r
}

// change returns what a change means to a session, without its Filters.
func (c *Change) change() session.Change {
	to := session.Change{Model: c.Model, Strength: c.Strength, Height: c.Height, Quality: c.Quality, Burn: c.Burn}
	if c.From != nil {
		from := seconds(*c.From)
		to.From = &from
	}
	return to
}

func number(given *int, otherwise int) int {
	if given == nil {
		return otherwise
	}
	return *given
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

package jobs

import (
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Job is what a client is told of a job.
type Job struct {
	ID       string            `json:"id" example:"wkqvqfw5xhxdkbtblcvdygoqh4" doc:"Names the job in paths."`
	Order    string            `json:"order" doc:"Id of the order that it came of; that of a folder makes many jobs."`
	State    State             `json:"state" enum:"queued,running,paused,done,failed,cancelled"`
	Waiting  Waiting           `json:"waiting,omitempty" enum:"client,sessions,retry,room,worker,source,turn" doc:"Why nothing is being done: client (it was paused), sessions (they play, and jobs give way), retry (it failed by what may pass, and is tried again), room (the machine has none), worker (none can be started), source (the root of the film, or of the output, is not there), turn (others come first, or stand still and keep as many workers as there may be)."`
	Priority int               `json:"priority" doc:"1 to 10; the higher comes first."`
	Seq      uint64            `json:"seq" doc:"Counts the job's changes."`
	Source   string            `json:"source" example:"films/night-train.mkv" doc:"The film, without what may be secret in a URL."`
	Output   string            `json:"output" example:"films/night-train.upscaled.mkv" doc:"The file that is made; there only once it is whole."`
	Created  time.Time         `json:"created"`
	Started  *time.Time        `json:"started,omitempty" doc:"The last time: a job that the server's end has interrupted is begun anew."`
	Ended    *time.Time        `json:"ended,omitempty"`
	Attempts int               `json:"attempts" doc:"How often it was started."`
	Failures int               `json:"failures,omitempty" doc:"How often it failed by what may pass by itself, and was to be tried again."`
	Next     *time.Time        `json:"next,omitempty" doc:"When it is tried again."`
	Session  string            `json:"session,omitempty" doc:"Id of the session as which it is made, in /v1/sessions."`
	Settings Settings          `json:"settings" doc:"How it is made."`
	Film     *FilmDocument     `json:"film,omitempty" doc:"What was found in the source; absent until it is opened."`
	Progress *Progress         `json:"progress,omitempty" doc:"How far it is; absent until it runs."`
	Bytes    int64             `json:"bytes,omitempty" doc:"Of the output, when it is done."`
	Skipped  string            `json:"skipped,omitempty" enum:"height" doc:"Why a job that is done made nothing: height (that of the source was not asked for)."`
	Failure  *playback.Failure `json:"failure,omitempty" doc:"Of a job that failed, or that failed and waits to be tried again."`
	Webhook  *HookDocument     `json:"webhook,omitempty"`
}

// Settings are how a job is made.
type Settings struct {
	Model      string           `json:"model"`
	Provider   string           `json:"provider"`
	Device     int              `json:"device"`
	Strength   float64          `json:"strength"`
	Filters    filters.Settings `json:"filters"`
	Container  string           `json:"container"`
	VideoCodec string           `json:"video_codec,omitempty" doc:"Absent: h264, or hevc where the source is HDR."`
	Height     int              `json:"height" doc:"0: the source's times the model's scale."`
	Quality    int              `json:"quality" doc:"-1: the usual."`
	Speed      string           `json:"speed"`
	Audio      string           `json:"audio"`
	Track      int              `json:"track" doc:"-1: all."`
	Start      float64          `json:"start" doc:"Seconds of the film."`
	Duration   float64          `json:"duration" doc:"Seconds; 0: all."`
}

// FilmDocument is what was found in a source, and what is made of it.
type FilmDocument struct {
	Container string         `json:"container" example:"Matroska"`
	Duration  float64        `json:"duration" doc:"Seconds that are made; 0 where that is not known."`
	Video     playback.Video `json:"video"`
	Encoding  string         `json:"encoding" doc:"Of the picture, for people."`
	Plan      []string       `json:"plan" doc:"What is kept, changed and lost, one sentence each."`
}

// Progress is how far a job is.
type Progress struct {
	Position float64  `json:"position" doc:"Seconds of the film that are made."`
	Duration float64  `json:"duration" doc:"Seconds that are to be made; 0 where that is not known."`
	Percent  *float64 `json:"percent,omitempty" doc:"Absent where the duration is not known."`
	FPS      float64  `json:"fps" doc:"Pictures encoded a second, without pauses."`
	RealTime float64  `json:"real_time" doc:"Seconds of film made in a second, without pauses."`
	Elapsed  float64  `json:"elapsed" doc:"Seconds since this attempt began, without pauses."`
	ETA      *float64 `json:"eta,omitempty" doc:"Seconds until it is done as it looks now; absent where that cannot be told."`
	Frames   Frames   `json:"frames"`
}

// Frames counts pictures.
type Frames struct {
	Decoded  int64 `json:"decoded"`
	Upscaled int64 `json:"upscaled" doc:"By the model."`
	Plain    int64 `json:"plain" doc:"That no model made."`
	Encoded  int64 `json:"encoded"`
}

// HookDocument tells of a job's webhook.
type HookDocument struct {
	Host     string        `json:"host" doc:"That is told; the rest of the URL may be secret."`
	State    DeliveryState `json:"state,omitempty" enum:"pending,delivered,given_up" doc:"Absent until the job is over."`
	Attempts int           `json:"attempts,omitempty"`
	Last     string        `json:"last,omitempty" doc:"What came of the last attempt."`
}

// of returns what a client is told of a record, without what is of its attempt.
func of(r *Record) Job {
	told := Job{
		ID: r.ID, Order: r.Order, State: r.State, Priority: r.Priority, Seq: r.Seq, Source: source.Name(r.Task.Source),
		Output: r.Task.path(), Created: r.Created.UTC(), Started: moment(r.Started), Ended: moment(r.Ended), Attempts: r.Attempts, Failures: r.Failures,
		Settings: settingsOf(&r.Task), Skipped: r.Skipped,
	}
	if !r.rested() {
		told.Next = moment(r.Next)
	}
	if f := r.Film; f != nil {
		told.Film = &FilmDocument{f.Container, f.Duration.Seconds(), playback.VideoOf(f.Video), f.Encoding, append([]string{}, f.Plan...)}
	}
	if m := r.Made; m != nil {
		told.Bytes = m.Bytes
		p := progressOf(m.Written, filmLength(r), m.Elapsed)
		if all := 100.0; p.Percent != nil { // a film may be a little shorter than it says
			p.Percent, p.ETA = &all, new(float64)
		}
		told.Progress = &p
	}
	if r.Failure != nil {
		p := playback.Problem(r.Failure)
		told.Failure = &playback.Failure{Code: p.Code, Owner: p.Owner, Title: p.Title, Detail: p.Detail}
	}
	if r.Hook != nil {
		told.Webhook = &HookDocument{Host: r.Hook.host()}
		if d := r.Delivery; d != nil {
			told.Webhook.State, told.Webhook.Attempts, told.Webhook.Last = d.State, d.Attempts, d.Last
		}
	}
	return told
}

func settingsOf(t *Task) Settings {
	u, o := t.Upscale, t.Output
	audio := string(o.Audio)
	if o.Audio == wire.AudioKeep {
		audio = audioKeep
	}
	return Settings{
		Model: u.Model, Provider: u.Provider, Device: u.Device, Strength: u.Strength, Filters: u.Filters,
		Container: o.Container, VideoCodec: o.VideoCodec, Height: o.Height, Quality: o.Quality, Speed: o.Speed,
		Audio: audio, Track: o.Track, Start: o.Start.Seconds(), Duration: o.Duration.Seconds(),
	}
}

// moment is a time as documents have it, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// filmLength is how much of the film is to be made, 0 where that is not known.
func filmLength(r *Record) time.Duration {
	if r.Film == nil {
		return 0
	}
	return r.Film.Duration
}

// progressOf tells how far a transcode is that was worked at for a while.
func progressOf(w wire.Written, length, elapsed time.Duration) Progress {
	p := Progress{
		Position: w.Position.Seconds(), Duration: length.Seconds(), Elapsed: elapsed.Seconds(),
		Frames: Frames{w.Decoded, w.Upscaled, w.Plain, w.Encoded},
	}
	if elapsed > 0 {
		p.FPS, p.RealTime = float64(w.Encoded)/elapsed.Seconds(), w.Position.Seconds()/elapsed.Seconds()
	}
	if length <= 0 {
		return p
	}
	percent := 100 * min(1, max(0, p.Position/p.Duration))
	p.Percent = &percent
	if p.RealTime > 0 {
		left := max(0, p.Duration-p.Position) / p.RealTime
		p.ETA = &left
	}
	return p
}

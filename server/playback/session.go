package playback

import (
	"fmt"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Session is what a client is told of a session.
type Session struct {
	ID         string        `json:"id" example:"k5wqzl4n2cr7" doc:"Names the session in paths."`
	Kind       session.Kind  `json:"kind" enum:"playback,transcode,live,job" doc:"What it makes: playback (segments of a film, as a player asks for them), transcode (one stream of another), live (what comes, as it comes), job (a file)."`
	State      session.State `json:"state" enum:"starting,playing,paused,ending,ended" doc:"Moves forward only, but for pauses."`
	Seeking    bool          `json:"seeking" doc:"Whether a seek waits for its segment."`
	Cause      session.Cause `json:"cause,omitempty" enum:"eos,client,idle,shutdown,failed" doc:"Why it ends: eos (played to the end), client (deleted), idle (nobody asked for anything), shutdown (the server ends), failed (see failure)."`
	Failure    *Failure      `json:"failure,omitempty" doc:"Of the cause failed."`
	Source     string        `json:"source" example:"films/night-train.mkv" doc:"The film, without what may be secret in a URL."`
	Created    time.Time     `json:"created"`
	Seq        uint64        `json:"seq" doc:"Number of the last event of the session that is told of here; see docs/control.md."`
	Ended      *time.Time    `json:"ended,omitempty"`
	Film       Film          `json:"film" doc:"What was found in the source."`
	Plan       Plan          `json:"plan" doc:"What is done with it, and what that costs."`
	Settings   Settings      `json:"settings" doc:"How the picture is made now."`
	Generation int           `json:"generation" doc:"Number of the playlist's newest part; ascends where another size or model begins one."`
	Position   float64       `json:"position" doc:"Seconds of the film at which the player is."`
	Buffered   float64       `json:"buffered" doc:"Seconds that are made beyond it."`
	Progress   *Progress     `json:"progress,omitempty" doc:"Of all but playbacks, from the first picture on."`
	Stats      *Stats        `json:"stats,omitempty" doc:"The worker's newest figures."`
	URLs       *URLs         `json:"urls,omitempty" doc:"What players fetch; absent when the session is over."`
	Clamped    []string      `json:"clamped,omitempty" doc:"Filters of this request that were out of their range and were moved to its end."`
}

// Progress is how far a session is that makes something from begin to end.
type Progress struct {
	Position float64 `json:"position" doc:"Seconds of the film that are made."`
	Duration float64 `json:"duration,omitempty" doc:"Seconds that are to be made; absent where the source does not tell."`
	ETA      float64 `json:"eta,omitempty" doc:"Seconds until it is made, as it looks now; absent where that cannot be told, and at the end."`
	Decoded  int64   `json:"decoded" doc:"Pictures."`
	Upscaled int64   `json:"upscaled" doc:"Pictures that the model made."`
	Plain    int64   `json:"plain" doc:"Pictures that no model made."`
	Encoded  int64   `json:"encoded"`
	Read     int64   `json:"read_bytes" doc:"Of a body that is sent; 0 for other sources."`
	Written  int64   `json:"written_bytes"`
	Behind   float64 `json:"behind,omitempty" doc:"Seconds that what is made of a live stream lies behind what came of it."`
}

// Failure says why a session failed.
type Failure struct {
	Code   problem.Code  `json:"code" example:"worker_lost" doc:"As of a problem."`
	Owner  problem.Owner `json:"owner" enum:"media,client,us" doc:"Whose fault it is."`
	Title  string        `json:"title"`
	Detail string        `json:"detail" doc:"A sentence for the user."`
}

// URLs are signed: they need no token, and work for one session until they expire.
// They begin with the path; the server is the one that was asked.
type URLs struct {
	Master  string    `json:"master" example:"/v1/sessions/k5wqzl4n2cr7/media/…/master.m3u8" doc:"The HLS master playlist."`
	Stream  Streams   `json:"stream" doc:"The film in one file that is sent while it is made, from its begin or from the second on that ?start= names; a live stream from now on."`
	WHEP    string    `json:"whep" doc:"Where a browser's offer goes to watch by WebRTC."`
	Expires time.Time `json:"expires"`
}

// Streams are what a session makes in one file, by its container.
type Streams struct {
	MP4 string `json:"mp4" doc:"Fragmented; plays in a video element."`
	TS  string `json:"ts" doc:"MPEG-TS."`
	MKV string `json:"mkv" doc:"Matroska."`
}

// Film is what was found in a source.
type Film struct {
	Container string  `json:"container" example:"Matroska"`
	Duration  float64 `json:"duration" doc:"Seconds, measured."`
	Segment   float64 `json:"segment" doc:"Seconds of a segment; the last may be shorter."`
	Segments  int     `json:"segments"`
	Video     Video   `json:"video"`
	Audio     []Audio `json:"audio"`
	Subtitles []Text  `json:"subtitles"`
}

// Video is the picture.
type Video struct {
	Codec     string   `json:"codec" doc:"Of the source."`
	Rate      string   `json:"rate,omitempty" example:"24000/1001" doc:"Frames a second; absent where it varies."`
	Source    Size     `json:"source" doc:"Of the source."`
	Delivered Size     `json:"delivered" doc:"As it was planned when the session began."`
	Decoder   []string `json:"decoder"`
	MaxRate   int      `json:"max_rate" doc:"kbit/s"`
}

// Size is that of a picture in pixels.
type Size struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Audio is an audio track.
type Audio struct {
	Language  string         `json:"language,omitempty"`
	Title     string         `json:"title,omitempty"`
	Codec     string         `json:"codec" doc:"Of the source."`
	Delivered wire.AudioMode `json:"delivered" enum:"aac,opus" doc:"What it is delivered as."`
	Passed    bool           `json:"passed" doc:"Whether it is delivered as it is; otherwise it is encoded."`
	Rate      int            `json:"rate" doc:"Samples a second."`
	Channels  int            `json:"channels"`
	Default   bool           `json:"default"`
}

// Text is a track of subtitles.
type Text struct {
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Codec    string `json:"codec"`
	Bitmap   bool   `json:"bitmap" doc:"Whether it is pictures, which can be burnt in only."`
	Forced   bool   `json:"forced"`
	Default  bool   `json:"default"`
}

// Plan is what is done with a film.
type Plan struct {
	Steps []string `json:"steps" doc:"What is done and what is lost, one sentence each."`
	Cost  Cost     `json:"cost" doc:"What a second of the film takes of the machine, by prediction."`
}

// Cost is in milliseconds for each second of the film.
type Cost struct {
	CoreMS  float64 `json:"core_ms" doc:"Of the processor's cores, all of it."`
	GPUMS   float64 `json:"gpu_ms" doc:"Of the GPU; 0 where none works."`
	Decode  float64 `json:"decode_ms" doc:"Part of core_ms."`
	Upscale float64 `json:"upscale_ms" doc:"Part of core_ms."`
	Filters float64 `json:"filters_ms" doc:"Part of core_ms."`
	Encode  float64 `json:"encode_ms" doc:"Part of core_ms."`
}

// Settings are how the picture is made.
type Settings struct {
	Model    string           `json:"model"`
	Provider string           `json:"provider" doc:"That was asked for; stats tell the one that runs."`
	Device   int              `json:"device"`
	Strength float64          `json:"strength"`
	Filters  filters.Settings `json:"filters"`
	Height   int              `json:"height" doc:"0: the source's times the model's scale."`
	Quality  int              `json:"quality" doc:"-1: the usual."`
	MaxRate  int              `json:"max_rate" doc:"kbit/s; 0: the usual of the size."`
	Burn     int              `json:"burn" doc:"-1: none."`
}

// Stats are figures of a session's worker, over the last second unless they say
// otherwise.
type Stats struct {
	FPS       float64 `json:"fps" doc:"Pictures encoded a second."`
	RealTime  float64 `json:"real_time" doc:"Seconds of film made in a second; 0 while nothing is."`
	Buffered  float64 `json:"buffered" doc:"Seconds made beyond the player's position."`
	Inference struct {
		Median float64 `json:"median_ms"`
		P95    float64 `json:"p95_ms"`
	} `json:"inference" doc:"Time of the model on a picture, over the last ones."`
	Frames   Frames    `json:"frames" doc:"Since the session began."`
	Cores    float64   `json:"cores" doc:"That the worker keeps busy."`
	Memory   int64     `json:"memory" doc:"Bytes that the worker has resident."`
	Model    string    `json:"model,omitempty" doc:"That really runs."`
	Provider string    `json:"provider,omitempty" doc:"That really runs."`
	Progress *Progress `json:"progress,omitempty" doc:"Of all but playbacks."`
}

// Frames counts pictures.
type Frames struct {
	Upscaled int64 `json:"upscaled" doc:"By the model."`
	Plain    int64 `json:"plain" doc:"That no model made."`
	Dropped  int64 `json:"dropped"`
	Repeated int64 `json:"repeated" doc:"Shown anew where the source has none."`
	Encoded  int64 `json:"encoded"`
}

// sourceName returns what clients are told of a source: its name without secrets, or
// the word for what is no file and no URL, and so has no slash in it.
func sourceName(of string) string {
	if !strings.Contains(of, "/") {
		return of
	}
	return source.Name(of)
}

// Of returns what a client is told of a session, without URLs.
func Of(s session.Snapshot) Session {
	told := Session{
		ID: s.ID, Kind: s.Kind, State: s.State, Seeking: s.Seeking, Cause: s.Cause, Source: sourceName(s.Source), Created: s.Created.UTC(), Seq: s.Seq,
		Film: filmOf(s), Plan: planOf(s.Film), Settings: settingsOf(s.Settings), Generation: s.Generation,
		Position: s.Position.Seconds(), Buffered: s.Buffered.Seconds(),
	}
	if s.Failure != nil {
		p := Problem(s.Failure)
		told.Failure = &Failure{Code: p.Code, Owner: p.Owner, Title: p.Title, Detail: p.Detail}
	}
	if !s.Ended.IsZero() {
		ended := s.Ended.UTC()
		told.Ended = &ended
	}
	told.Progress = progressOf(s.Progress)
	if s.Stats != nil {
		stats := StatsOf(s.Stats)
		told.Stats = &stats
	}
	return told
}

func progressOf(p *session.Progress) *Progress {
	if p == nil {
		return nil
	}
	return &Progress{
		Position: p.Position.Seconds(), Duration: p.Duration.Seconds(), ETA: p.Left.Seconds(), Decoded: p.Decoded, Upscaled: p.Upscaled,
		Plain: p.Plain, Encoded: p.Encoded, Read: p.Read, Written: p.Written, Behind: p.Behind.Seconds(),
	}
}

func filmOf(s session.Snapshot) Film {
	f := Film{
		Container: s.Film.Container, Duration: s.Film.Duration.Seconds(), Segment: s.Segment.Seconds(), Segments: s.Segments,
		Video: VideoOf(s.Film.Video), Audio: make([]Audio, 0, len(s.Film.Audio)), Subtitles: make([]Text, 0, len(s.Film.Text)),
	}
	for _, a := range s.Film.Audio {
		f.Audio = append(f.Audio, Audio{a.Language, a.Title, a.Codec, a.Delivered, a.Passed, a.Rate, a.Channels, a.Default})
	}
	for _, t := range s.Film.Text {
		f.Subtitles = append(f.Subtitles, Text(t))
	}
	return f
}

// VideoOf returns what a client is told of a film's picture.
func VideoOf(v wire.VideoInfo) Video {
	told := Video{
		Codec: v.Codec, Source: Size{v.SourceSize[0], v.SourceSize[1]}, Delivered: Size{v.Size[0], v.Size[1]},
		Decoder: append([]string{}, v.Decoder...), MaxRate: v.MaxRate,
	}
	if v.Rate[0] > 0 {
		told.Rate = fmt.Sprintf("%d/%d", v.Rate[0], v.Rate[1])
	}
	return told
}

func planOf(o wire.Opened) Plan {
	c := o.Cost
	return Plan{
		Steps: append([]string{}, o.Plan...),
		Cost:  Cost{CoreMS: c.CoreMS, GPUMS: c.GPUMS, Decode: c.Decode, Upscale: c.Upscale, Filters: c.Filters, Encode: c.Encode},
	}
}

func settingsOf(s session.Settings) Settings {
	return Settings{
		Model: s.Model, Provider: s.Provider, Device: s.Device, Strength: s.Strength, Filters: s.Filters,
		Height: s.Height, Quality: s.Quality, MaxRate: s.MaxRate, Burn: s.Burn,
	}
}

// StatsOf returns what a client is told of a worker's figures.
func StatsOf(s *session.Stats) Stats {
	told := Stats{
		FPS: s.FPS, RealTime: s.RealTime, Buffered: s.Buffered.Seconds(), Cores: s.Busy, Memory: s.RSS,
		Frames: Frames{s.Upscaled, s.Plain, s.Dropped, s.Repeated, s.Encoded}, Model: s.Model, Provider: s.Provider,
		Progress: progressOf(s.Progress),
	}
	told.Inference.Median, told.Inference.P95 = s.Median, s.P95
	return told
}

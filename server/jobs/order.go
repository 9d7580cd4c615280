package jobs

import (
	"cmp"
	"path"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Order is what a client asks for: the transcode of a film, or of all in a folder.
type Order struct {
	Source    string   `json:"source" minLength:"1" maxLength:"4096" example:"films/night-train.mkv" doc:"A film, ROOT/path/below/it or a URL of a configured host; or a folder, all of whose films are made, and of those below it. ROOT alone is one, too."`
	Output    string   `json:"output,omitempty" maxLength:"4096" example:"upscaled/films" doc:"Folder of the output, ROOT or ROOT/path, which is made if it is missing; folders below that of the order are kept. Without it the output lies beside its source."`
	Name      string   `json:"name,omitempty" maxLength:"255" example:"night-train.1080p.mkv" doc:"Name of the output of a single film; without it NAME.upscaled.EXT."`
	Match     string   `json:"match,omitempty" maxLength:"255" example:"*.mkv" doc:"Of a folder: takes films alone whose name matches, without regard to case, with * ? and [] as in a shell."`
	MinHeight int      `json:"min_height,omitempty" minimum:"0" maximum:"65535" doc:"Least rows of the source's picture. It is known when the film is opened: a job outside ends as done, and says that it was skipped."`
	MaxHeight int      `json:"max_height,omitempty" minimum:"0" maximum:"65535" doc:"Most rows of the source's picture; 0: any."`
	SkipDone  bool     `json:"skip_done,omitempty" doc:"Passes over films of which a job has made the same before, and those whose output is there or ordered already. Otherwise such a film is refused, or, in a folder, named as skipped."`
	Model     string   `json:"model,omitempty" maxLength:"128" example:"swift-s-x2" doc:"Id of the model, one of /v1/models; models.default without."`
	Provider  string   `json:"provider,omitempty" enum:"auto,tensorrt,cuda,openvino,webgpu,cpu" doc:"What runs the model; models.provider without."`
	Device    int      `json:"device,omitempty" minimum:"0" maximum:"63" doc:"Number of the provider's device."`
	Strength  *float64 `json:"strength,omitempty" minimum:"0" maximum:"1" doc:"Share of the model in the picture; the rest is a plain upscale. 1 without."`
	playback.Look
	Container  string     `json:"container,omitempty" enum:"mkv,mp4,ts" doc:"mkv without, or by the name."`
	VideoCodec string     `json:"video_codec,omitempty" enum:"h264,hevc,av1,vp9" doc:"h264 without, or hevc where the source is HDR."`
	Height     int        `json:"height,omitempty" minimum:"0" maximum:"8640" doc:"Rows of the picture; 0: the source's times the model's scale."`
	Quality    *int       `json:"quality,omitempty" minimum:"-1" maximum:"63" doc:"In the codec's own scale, lower is better; -1: the usual."`
	Speed      string     `json:"speed,omitempty" enum:"fast,balanced,best" doc:"How long the encoder may look for a smaller file; balanced without."`
	Audio      string     `json:"audio,omitempty" enum:"keep,copy,aac,opus,none" doc:"keep copies where the container takes it and encodes otherwise; so without."`
	Track      *int       `json:"track,omitempty" minimum:"-1" maximum:"999" doc:"Number of the one track of sound that is kept; all without."`
	Start      float64    `json:"start,omitempty" minimum:"0" maximum:"1000000" doc:"Seconds of the film at which the output begins."`
	Duration   float64    `json:"duration,omitempty" minimum:"0" maximum:"1000000" doc:"Seconds that are made; 0: all."`
	Priority   *int       `json:"priority,omitempty" minimum:"1" maximum:"10" doc:"The higher comes first; 5 without."`
	Paused     bool       `json:"paused,omitempty" doc:"Whether the jobs wait until they are resumed."`
	Webhook    *OrderHook `json:"webhook,omitempty" doc:"Who is told when a job is over; see docs/jobs.md."`
}

// OrderHook is who is told of a job's end.
type OrderHook struct {
	URL    string `json:"url" minLength:"1" maxLength:"2048" example:"https://media.example/hooks/upscaled" doc:"http or https, of a host in jobs.webhook.hosts."`
	Secret string `json:"secret,omitempty" minLength:"16" maxLength:"256" doc:"Signs the messages; jobs.webhook.secret without. It is never told."`
}

// Change is what a client changes of a job; what is absent, or null, stays.
type Change struct {
	Priority *int  `json:"priority,omitempty" minimum:"1" maximum:"10" doc:"The higher comes first. A job that runs is not displaced."`
	Paused   *bool `json:"paused,omitempty" doc:"true pauses, false resumes. A job that runs keeps what it has made; one that waits to be tried again is tried at once when it is resumed."`
}

// Added is what became of an order.
type Added struct {
	Order   string     `json:"order" doc:"Id that all its jobs have."`
	Count   int        `json:"count" doc:"Of the jobs."`
	Jobs    []Job      `json:"jobs" doc:"The first hundred of them."`
	Passed  int        `json:"skipped_count" doc:"Of the films that no job makes."`
	Skipped []PassedBy `json:"skipped" doc:"The first hundred of them."`
	Clamped []string   `json:"clamped,omitempty" doc:"Filters that were out of their range and were moved to its end."`
}

// PassedBy is a film of which no job was made.
type PassedBy struct {
	Source string `json:"source"`
	Reason string `json:"reason" enum:"done,output_exists,ordered,name,output" doc:"done (a job has made the same before), output_exists, ordered (a job will make that output), name (it cannot be named: not UTF-8, or it may not be read), output (its folder cannot be used)."`
}

// Why films are passed over.
const (
	passedDone    = "done"
	passedThere   = "output_exists"
	passedOrdered = "ordered"
	passedName    = "name"
	passedOutput  = "output"
)

// audioKeep is how documents call wire.AudioKeep.
const audioKeep = "keep"

// templateOf returns what all jobs of an order do, without source and output.
func (o *Order) templateOf(desk *playback.Desk) (t Task, clamped []string, err error) {
	defaults := desk.Defaults
	s := session.Settings{
		Model: cmp.Or(o.Model, defaults.Model), Provider: cmp.Or(o.Provider, defaults.Provider), Device: o.Device, Strength: 1,
	}
	if o.Strength != nil {
		s.Strength = *o.Strength
	}
	if _, err = playback.Scale(desk.Models, s.Model); err != nil {
		return t, nil, err
	}
	if clamped, err = desk.Grade(&s, o.Look); err != nil {
		return t, nil, err
	}
	t.Upscale = wire.Upscale{Model: s.Model, Provider: s.Provider, Device: s.Device, Strength: s.Strength, Filters: s.Filters}
	if s.Cube != nil {
		t.LUT = sumOf(s.Cube)
	}
	t.MinHeight, t.MaxHeight = o.MinHeight, o.MaxHeight
	t.Output = wire.Output{
		VideoCodec: o.VideoCodec, Height: o.Height, Quality: -1, Speed: cmp.Or(o.Speed, "balanced"), Track: -1,
		Start: seconds(o.Start), Duration: seconds(o.Duration),
	}
	if o.Quality != nil {
		t.Output.Quality = *o.Quality
	}
	if o.Track != nil {
		t.Output.Track = *o.Track
	}
	if o.Audio != audioKeep {
		t.Output.Audio = wire.AudioMode(o.Audio)
	}
	t.Output.Container, err = o.container()
	return t, clamped, err
}

// containers are what may be written, and how names of them end.
var containers = []string{"mkv", "mp4", "ts"}

// container returns the container, which must be the one that the name says.
func (o *Order) container() (string, error) {
	if o.Name == "" {
		return cmp.Or(o.Container, containers[0]), nil
	}
	if strings.ContainsAny(o.Name, "/\x00") || strings.HasPrefix(o.Name, ".") {
		return "", faulty("name", "must be the plain name of a file that is not hidden; output names its folder")
	}
	ending := strings.TrimPrefix(strings.ToLower(path.Ext(o.Name)), ".")
	for _, c := range containers {
		if ending == c && (o.Container == "" || o.Container == c) {
			return c, nil
		}
	}
	return "", faulty("name", "must end in ."+cmp.Or(o.Container, strings.Join(containers, ", .")))
}

// outputName returns the name of a film's output.
func outputName(base, container string) string {
	return strings.TrimSuffix(base, path.Ext(base)) + ".upscaled." + container
}

// isOutput reports whether a file's name is one that outputs get: what was made is
// not made again.
func isOutput(base string) bool {
	rest, ending := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	for _, c := range containers {
		if ending == "."+c && strings.HasSuffix(rest, ".upscaled") {
			return true
		}
	}
	return false
}

// films are the endings of names that a folder's films have.
var films = map[string]bool{
	".3gp": true, ".avi": true, ".flv": true, ".m2ts": true, ".m2v": true, ".m4v": true, ".mkv": true, ".mov": true, ".mp4": true,
	".mpeg": true, ".mpg": true, ".mts": true, ".ogm": true, ".ogv": true, ".ts": true, ".vob": true, ".webm": true, ".wmv": true,
}

// takes reports whether an order of a folder is about a file.
func (o *Order) takes(name string) bool {
	base := path.Base(name)
	if !films[strings.ToLower(path.Ext(base))] || isOutput(base) {
		return false
	}
	if o.Match == "" {
		return true
	}
	matches, _ := path.Match(strings.ToLower(o.Match), strings.ToLower(base)) // the pattern was checked
	return matches
}

// check finds what of an order contradicts itself.
func (o *Order) check(folder bool) error {
	if _, err := path.Match(o.Match, ""); err != nil {
		return faulty("match", "is no pattern; a [ must have its ]")
	}
	switch {
	case folder && o.Name != "":
		return faulty("name", "is of a single film; the source is a folder")
	case !folder && o.Match != "":
		return faulty("match", "is of a folder; the source is a film")
	case o.MaxHeight > 0 && o.MinHeight > o.MaxHeight:
		return faulty("min_height", "must not be above max_height")
	}
	return nil
}

// hook returns who is told. Without a secret nobody is: the receiver could not know
// who speaks.
func (o *Order) hook(hosts source.Hosts, secret bool) (*Hook, error) {
	if o.Webhook == nil {
		return nil, nil
	}
	if _, err := hosts.Check(o.Webhook.URL); err != nil {
		return nil, problem.New(problem.WebhookRefused, "the webhook's URL must be http or https, of a host in jobs.webhook.hosts").Because(err)
	}
	if o.Webhook.Secret == "" && !secret {
		return nil, problem.New(problem.WebhookRefused, "messages are signed: send a secret with the webhook, or set jobs.webhook.secret")
	}
	return &Hook{o.Webhook.URL, o.Webhook.Secret}, nil
}

func (o *Order) priority() int {
	if o.Priority == nil {
		return usualPriority
	}
	return min(max(*o.Priority, minPriority), maxPriority)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func faulty(where, what string) error {
	return playback.Faulty(problem.Fault{Where: "body." + where, What: what})
}

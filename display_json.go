package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/pipeline"
)

// jsonDisplay prints one JSON object a line; docs/cli.md describes them.
type jsonDisplay struct {
	out    *json.Encoder
	frames int64
	length float64 // seconds
}

func newJSONDisplay(w io.Writer) *jsonDisplay { return &jsonDisplay{out: json.NewEncoder(w)} }

// event is what every line has.
type event struct {
	Event string `json:"event"` // plan, progress, done or error
}

type planEvent struct {
	event
	Input    string   `json:"input"`
	Output   string   `json:"output"`
	Width    int      `json:"width"`
	Height   int      `json:"height"`
	Model    string   `json:"model"`
	Scale    int      `json:"scale"`
	Encoding string   `json:"encoding"`
	Frames   int64    `json:"frames_expected"`
	Seconds  float64  `json:"seconds"`
	Kept     []string `json:"kept"`
	Changed  []string `json:"changed"`
	Lost     []string `json:"lost"`
}

type progressEvent struct {
	event
	Decoded  int64   `json:"frames_decoded"`
	Upscaled int64   `json:"frames_upscaled"`
	Plain    int64   `json:"frames_plain"`
	Encoded  int64   `json:"frames_encoded"`
	FPS      float64 `json:"fps"`
	Factor   float64 `json:"real_time_factor"`
	Position float64 `json:"position_seconds"`
	Elapsed  float64 `json:"elapsed_seconds"`
	ETA      float64 `json:"eta_seconds"` // -1 when unknown
}

type doneEvent struct {
	progressEvent
	Output   string                     `json:"output"`
	Model    string                     `json:"model"`
	Provider string                     `json:"provider"`
	Notes    []string                   `json:"notes"`
	Cost     map[pipeline.Stage]float64 `json:"core_ms_per_frame"`
	RSS      float64                    `json:"peak_rss_mib"` // of this process so far
}

type noteEvent struct {
	event
	Text string `json:"message"`
}

type errorEvent struct {
	event
	Code   pipeline.Code `json:"code"`
	Text   string        `json:"message"`
	Status int           `json:"exit_status"`
}

func (d *jsonDisplay) plan(j *job.Job) {
	frames, length := expected(j)
	d.frames, d.length = frames, length.Seconds()
	p := j.Plan
	d.print(planEvent{
		event: event{"plan"}, Input: p.Media.Path, Output: j.Output, Width: p.Width, Height: p.Height,
		Model: p.Spec.Model, Scale: p.Spec.Scale, Encoding: p.Encoding, Frames: frames, Seconds: d.length,
		Kept: list(p.Kept), Changed: list(p.Changed), Lost: list(p.Lost),
	})
}

func (d *jsonDisplay) progress(p pipeline.Progress) { d.print(d.at("progress", p)) }

func (d *jsonDisplay) at(name string, p pipeline.Progress) progressEvent {
	e := progressEvent{
		event: event{name}, Decoded: p.Decoded, Upscaled: p.Upscaled, Plain: p.Plain, Encoded: p.Encoded,
		FPS: rate(p.Encoded, p.Elapsed), Position: p.Position.Seconds(), Elapsed: p.Elapsed.Seconds(), ETA: -1,
	}
	if p.Elapsed > 0 {
		e.Factor = e.Position / e.Elapsed
	}
	if d.length > 0 && e.Factor > 0 {
		e.ETA = max(0, d.length-e.Position) / e.Factor
	}
	return e
}

func (d *jsonDisplay) end() {}

func (d *jsonDisplay) note(sentence string) { d.print(noteEvent{event{"note"}, sentence}) }

func (d *jsonDisplay) done(o outcome) {
	r := o.result
	cost := map[pipeline.Stage]float64{}
	for s, t := range r.Cores {
		cost[s] = milliseconds(t) / float64(max(r.Encoded, 1))
	}
	d.print(doneEvent{
		progressEvent: d.at("done", r.Progress), Output: o.job.Output, Model: r.Model.Model, Provider: r.Model.Provider,
		Notes: list(r.Model.Notes), Cost: cost, RSS: peakRSS(),
	})
}

func (d *jsonDisplay) failed(err error) error {
	d.print(errorEvent{event: event{"error"}, Code: pipeline.CodeOf(err), Text: sentence(err), Status: statusOf(err)})
	return marked(err)
}

// print writes a line. A reader that has gone away is no reason to stop the job.
func (d *jsonDisplay) print(v any) { _ = d.out.Encode(v) }

// peakRSS returns the most memory this process has had resident, in MiB; 0
// where the system does not tell. It is VmHWM of proc(5): getrusage(2) counts
// what the process that started this one had.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib / 1024
}

// list is never nil, so that JSON shows [] for none.
func list(l []string) []string { return append([]string{}, l...) }

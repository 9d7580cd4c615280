package jobs

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Task is what a job does, with nothing left to be filled in. Paths are those that
// clients name: ROOT/path.
type Task struct {
	Source    string       `json:"source"`
	Folder    string       `json:"folder"`        // of the output
	Name      string       `json:"name"`          // of the output in it
	Upscale   wire.Upscale `json:"upscale"`       // without Cube
	LUT       string       `json:"lut,omitempty"` // SHA-256 of the colour table that Upscale.Filters names, in hexadecimal
	Output    wire.Output  `json:"output"`
	MinHeight int          `json:"min_height,omitempty"` // of the source's picture; outside it nothing is made
	MaxHeight int          `json:"max_height,omitempty"` // 0: any
}

// path returns the output as clients name it.
func (t *Task) path() string { return t.Folder + "/" + t.Name }

// part returns the name of the output while it is made: hidden, in the same folder,
// so that giving it its name is one step, and that of the job alone.
func (r *Record) part() string { return "." + r.ID + hiddenPartName }

// work names what a task makes of which source, wherever it puts it: two tasks with
// the same work make the same.
func (t *Task) work() string {
	text, err := json.Marshal(struct {
		Source  string
		Upscale wire.Upscale
		LUT     string
		Output  wire.Output
	}{t.Source, t.Upscale, t.LUT, t.Output})
	if err != nil {
		panic(err) // no field can fail
	}
	return sumOf(text)
}

func sumOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// Identity is by what a file is known to be the one that it was.
type Identity struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

func (i Identity) same(other Identity) bool {
	return i.Size == other.Size && i.Modified.Equal(other.Modified)
}

// Hook is who is told of a job's end.
type Hook struct {
	URL    string `json:"url"`
	Secret string `json:"secret,omitempty"` // of this job; empty: the server's
}

// host returns who is told; the rest of the URL may be secret.
func (h *Hook) host() string {
	if u, err := url.Parse(h.URL); err == nil {
		return u.Host
	}
	return ""
}

// Record is a job as the store has it. A Record that was handed out is not changed
// any more: a change makes another one.
type Record struct {
	ID       string `json:"id"`
	Number   uint64 `json:"number"` // ascends from job to job
	Order    string `json:"order"`  // that it came of; one of a folder makes many jobs
	Task     Task   `json:"task"`
	Priority int    `json:"priority"`
	State    State  `json:"state"`
	Held     bool   `json:"held"` // a client wants it paused
	Seq      uint64 `json:"seq"`  // counts its changes

	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // the last time
	Ended    time.Time `json:"ended,omitzero"`
	Attempts int       `json:"attempts"`           // how often it was started
	Failures int       `json:"failures,omitempty"` // after which it was tried again
	Next     time.Time `json:"next,omitzero"`      // not before it is tried again; zero: at any time

	Film     *Film       `json:"film,omitempty"`    // what was found in it, since the last start
	Source   Identity    `json:"source,omitzero"`   // of the file then
	Whole    *Mark       `json:"whole,omitempty"`   // the output is whole, and gets its name now
	Made     *Made       `json:"made,omitempty"`    // of a job that is done
	Skipped  string      `json:"skipped,omitempty"` // why a job that is done made nothing
	Failure  *wire.Error `json:"failure,omitempty"` // why it failed, or is tried again
	Hook     *Hook       `json:"hook,omitempty"`
	Delivery *Delivery   `json:"delivery,omitempty"`
}

// Film is what a worker found in a source, and will make of it.
type Film struct {
	Container string         `json:"container"`
	Duration  time.Duration  `json:"duration"` // that is made; 0: not known
	Video     wire.VideoInfo `json:"video"`
	Encoding  string         `json:"encoding"`
	Plan      []string       `json:"plan"`
}

// Made is what a job has made.
type Made struct {
	Bytes   int64         `json:"bytes"`
	Written wire.Written  `json:"written"`
	Elapsed time.Duration `json:"elapsed"` // without pauses
}

// Mark tells a file from every other one.
type Mark struct {
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	Made  Made   `json:"made"`
}

// Delivery is how far the message of a job's end is.
type Delivery struct {
	State    DeliveryState `json:"state"`
	Attempts int           `json:"attempts"`
	Last     string        `json:"last,omitempty"` // what came of the last one
}

// DeliveryState is where a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryGivenUp   DeliveryState = "given_up"
)

// message is what waits to be delivered.
type message struct {
	ID       string    `json:"id"` // of the job
	Hook     Hook      `json:"hook"`
	Body     []byte    `json:"body"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`

	retry time.Time // of this process, by the monotonic clock; zero: as due before
}

// finished is a work that was done.
type finished struct {
	Source Identity  `json:"source"`
	Output string    `json:"output"`
	Ended  time.Time `json:"ended"`
}

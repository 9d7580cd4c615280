package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
)

// What sessions are asked for; times in milliseconds. Those of a start are for two
// cores.
const (
	askedStart  = 1000
	askedSeek   = 1000
	askedDelete = 1000
	askedPaused = 1    // % of a core
	askedWorker = 250  // MiB
	askedServer = 40   // MiB
	askedSplit  = 0.97 // of a transcode's throughput
)

// sessionFigure is one thing that was measured of sessions.
type sessionFigure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value spread  `json:"value"`
	Asked float64 `json:"asked,omitempty"` // the median is to be no more, or, AtLeast, no less; 0: nothing is asked
	Least bool    `json:"at_least,omitempty"`
	Met   bool    `json:"met"`
}

// sessionReport is what is written to sessions.json.
type sessionReport struct {
	Version string          `json:"version"`
	Cores   int             `json:"cores"`
	Model   string          `json:"model"`
	Runs    int             `json:"runs"`
	Source  string          `json:"source"`
	Figures []sessionFigure `json:"figures"`
}

// sessionBench measures sessions of a server that it runs.
type sessionBench struct {
	a      *app
	runs   int
	model  string
	folder string         // of the programs
	dir    string         // of the films and the cache
	films  map[int]string // names of the films that are drawn, by the seconds between their key frames
	report sessionReport
}

// filmLength leaves room for seeks far beyond what is read ahead.
const filmLength = 5 * time.Minute

// keyFrames are the films' distances between key frames in seconds: of a disc, and
// of what is encoded to be small.
var keyFrames = []int{2, 10}

// sessions measures what the server's sessions take, prints the figures and writes
// them to sessions.json.
func (c *benchCommand) sessions(ctx context.Context, a *app) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &sessionBench{a: a, runs: c.Runs, model: c.Model, folder: filepath.Dir(self), dir: c.Dir, films: map[int]string{}}
	b.report = sessionReport{
		Version: revision(), Cores: runtime.GOMAXPROCS(0), Model: c.Model, Runs: c.Runs,
		Source: fmt.Sprintf("%d×%d, %d pictures a second, H.264 and AAC", filmWidth, filmHeight, filmRate),
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"starts", b.starts}, {"cold", b.coldStarts}, {"rest", b.rest}, {"full", b.full}, {"control", b.control}, {"split", b.split}, {"remote", b.remote}, {"live", b.live}, {"webrtc", b.webrtc}} {
		if whole := c.Only == "all" || c.Only == "sessions"; !whole && c.Only != part.name {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return err
		}
	}
	return b.report.write(a, filepath.Join(c.Dir, "sessions.json"))
}

// film returns the name of a film with a key frame every so many seconds.
func (b *sessionBench) film(ctx context.Context, seconds int) (string, error) {
	if name := b.films[seconds]; name != "" {
		return name, nil
	}
	fmt.Fprintf(b.a.stderr, "drawing a film with a key frame every %d s\n", seconds)
	path, err := drawFilm(ctx, b.dir, filmLength, seconds)
	if err != nil {
		return "", err
	}
	b.films[seconds] = "films/" + filepath.Base(path)
	return b.films[seconds], nil
}

// serve has do measure a server that was started with some settings. Its cache is
// a folder of its own.
func (b *sessionBench) serve(ctx context.Context, set map[string]string, do func(context.Context, *daemon.Daemon) error) (err error) {
	cache, err := os.MkdirTemp("", "upscaled-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(cache) }() // a temporary folder
	films, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	d, err := daemon.Start(ctx, daemon.Options{Folder: b.folder, Films: films, Cache: cache, Set: set})
	if err != nil {
		return err
	}
	defer func() {
		if down := d.Stop(); err == nil {
			err = down
		}
	}()
	return do(ctx, d)
}

// add notes a figure. asked is 0 where nothing is.
func (b *sessionBench) add(name, unit string, values []float64, asked float64, least bool) {
	f := sessionFigure{Name: name, Unit: unit, Value: spreadOf(values), Asked: asked, Least: least}
	f.Met = asked == 0 || least && f.Value.Median >= asked || !least && f.Value.Median <= asked
	b.report.Figures = append(b.report.Figures, f)
	fmt.Fprintf(b.a.stderr, "%s: %s %s\n", name, f.Value, unit)
}

// most notes a figure that is to be no more than asked, or of which nothing is
// asked when that is 0.
func (b *sessionBench) most(name, unit string, asked float64, values ...float64) {
	b.add(name, unit, values, asked, false)
}

// asked says what was asked of a figure, and whether it was missed.
func (f sessionFigure) asked() string {
	if f.Asked == 0 {
		return ""
	}
	sign := "≤"
	if f.Least {
		sign = "≥"
	}
	said := fmt.Sprintf("%s %g asked", sign, f.Asked)
	if !f.Met {
		said += ": MISSED"
	}
	return said
}

// write prints the report and writes it to a file.
func (r sessionReport) write(a *app, path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "sessions of %s with %s on %d cores: medians of %d runs (least–most)\n", r.Source, r.Model, r.Cores, r.Runs)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "  %s, %s\t%s\t%s\n", f.Name, f.Unit, f.Value, f.asked())
	}
	fmt.Fprintln(w, path)
	return w.Flush()
}

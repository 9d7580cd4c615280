package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3" // alive, MIT, knows terminals' widths
	"golang.org/x/term"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/pipeline"
)

// lineEvery is how often progress is told where there is no terminal.
const lineEvery = 5 * time.Second

// textDisplay shows a job to a person: a bar on a terminal, else lines.
type textDisplay struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	frames   int64         // expected, 0 when unknown
	length   time.Duration // of what is written, 0 when unknown
	said     time.Time
}

func newTextDisplay(f *os.File) *textDisplay {
	return &textDisplay{w: f, terminal: term.IsTerminal(int(f.Fd()))}
}

func (d *textDisplay) plan(j *job.Job) {
	p := j.Plan
	v := p.Media.Video
	fmt.Fprintf(d.w, "%s → %s\n", p.Media.Path, j.Output)
	fmt.Fprintf(d.w, "  picture  %d×%d → %d×%d by %s ×%d, decoded by %s\n", v.Width, v.Height, p.Width, p.Height,
		p.Spec.Model, p.Spec.Scale, v.Decoder[len(v.Decoder)-1])
	fmt.Fprintf(d.w, "  encoded  %s\n", p.Encoding)
	for _, list := range []struct {
		title string
		lines []string
	}{{"kept   ", p.Kept}, {"changed", p.Changed}, {"LOST   ", p.Lost}} {
		for _, l := range list.lines {
			fmt.Fprintf(d.w, "  %s  %s\n", list.title, l)
		}
	}
	d.frames, d.length = expected(j)
	d.said = time.Now()
	d.begin()
}

// begin shows a bar, on a terminal, unless there is one.
func (d *textDisplay) begin() {
	if !d.terminal || d.bar != nil {
		return
	}
	total := d.frames
	if total == 0 {
		total = -1
	}
	d.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(d.w), progressbar.OptionSetWidth(24),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
}

// expected returns how many frames and how much time a job will write, 0 for
// what is not known.
func expected(j *job.Job) (int64, time.Duration) {
	length := j.Plan.Media.Duration
	if length > 0 {
		length = max(0, length-j.Plan.Spec.Start)
	}
	if d := j.Plan.Spec.Duration; d > 0 && (length == 0 || d < length) {
		length = d
	}
	return int64(length.Seconds()*j.Plan.Media.Video.Rate.Float() + 0.5), length
}

func (d *textDisplay) progress(p pipeline.Progress) {
	d.begin() // a note may have ended it
	line := d.line(p)
	switch {
	case d.bar != nil:
		d.bar.Describe(line)
		_ = d.bar.Set64(min(p.Encoded, max(d.frames, 1))) // the bar has nothing to fail at but its writer
	case time.Since(d.said) >= lineEvery:
		d.said = time.Now()
		fmt.Fprintln(d.w, "  "+line)
	}
}

// line tells frames, speed, what is left, and plain frames if there are any.
func (d *textDisplay) line(p pipeline.Progress) string {
	fps := rate(p.Encoded, p.Elapsed)
	parts := []string{fmt.Sprintf("%d frames", p.Encoded), fmt.Sprintf("%.1f fps", fps)}
	if d.frames > 0 {
		parts[0] = fmt.Sprintf("%d/%d frames", p.Encoded, d.frames)
	}
	if p.Elapsed > 0 && p.Position > 0 {
		factor := p.Position.Seconds() / p.Elapsed.Seconds()
		parts = append(parts, fmt.Sprintf("%.2f× real time", factor))
		if left := d.length - p.Position; left > 0 {
			parts = append(parts, "ETA "+time.Duration(left.Seconds()/factor*float64(time.Second)).Round(time.Second).String())
		}
	}
	if p.Plain > 0 {
		parts = append(parts, fmt.Sprintf("%d PLAIN", p.Plain))
	}
	return strings.Join(parts, ", ")
}

func (d *textDisplay) end() {
	if d.bar != nil {
		_ = d.bar.Finish() // as above
		_ = d.bar.Clear()
		d.bar = nil
	}
}

func (d *textDisplay) note(sentence string) { fmt.Fprintf(d.w, "  note     %s\n", sentence) }

func (d *textDisplay) done(o outcome) {
	r := o.result
	fmt.Fprintf(d.w, "  done     %d frames decoded, %d upscaled by %s on %s, %d plain, %d encoded\n",
		r.Decoded, r.Upscaled, r.Model.Model, r.Model.Provider, r.Plain, r.Encoded)
	fmt.Fprintf(d.w, "  speed    %.1f fps end to end, %.2f× real time, %s\n", o.fps(),
		r.Position.Seconds()/r.Elapsed.Seconds(), r.Elapsed.Round(100*time.Millisecond))
	var parts []string
	for _, s := range stages {
		if t, ok := r.Cores[s]; ok && r.Encoded > 0 {
			parts = append(parts, fmt.Sprintf("%s %.1f", s, milliseconds(t)/float64(r.Encoded)))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(d.w, "  cost     %s core-ms a frame\n", strings.Join(parts, ", "))
	}
	if n := len(r.Model.Notes); n > 0 {
		fmt.Fprintf(d.w, "  note     %d other providers cannot run here; upscaled doctor says why\n", n)
	}
}

func (d *textDisplay) failed(err error) error { return err }

// stages in the order they are told.
var stages = []pipeline.Stage{
	pipeline.StageRead, pipeline.StageDecode, pipeline.StageUpscale, pipeline.StageEncode, pipeline.StageWrite,
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

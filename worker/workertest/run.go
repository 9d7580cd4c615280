package workertest

import (
	"fmt"
	"math"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// run makes the packets of one stream.
type run struct {
	worker *worker
	id     uint32
	stream wire.Stream
	film   *Film
	grid   grid
	first  int             // segment
	after  <-chan struct{} // a run of the same stream that ends first; nil for none
	done   chan struct{}
	sent   int // packets, cues or pictures of a transcode, of this run

	transcode *transcode // nil where packets are made

	// Guarded by worker.mu.
	limit   int
	halted  bool
	key     bool // the next picture is to be a key frame
	waiting bool
	until   float64 // seconds of the film
}

// newRun checks what is asked for.
func newRun(w *worker, m wire.Play) (*run, error) {
	r := &run{
		worker: w, id: m.Run, stream: m.Stream, film: w.film, grid: w.film.grid(w.open.Segment),
		first: m.Segment, limit: m.Limit, done: make(chan struct{}),
	}
	tracks := 0
	switch m.Stream.Kind {
	case wire.StreamVideo:
		tracks = 1
	case wire.StreamAudio:
		tracks = len(w.film.Audio)
	case wire.StreamText:
		tracks = len(w.film.Text)
	}
	if m.Stream.Index < 0 || m.Stream.Index >= tracks {
		return nil, fmt.Errorf("there is no %s stream %d", m.Stream.Kind, m.Stream.Index)
	}
	if m.Segment < 0 || r.grid.start(m.Segment, r.grid.scale) >= r.grid.end(w.film) {
		return nil, fmt.Errorf("there is no segment %d", m.Segment)
	}
	if w.runs[m.Run] != nil {
		return nil, fmt.Errorf("there is a run %d", m.Run)
	}
	return r, nil
}

// outcome is how a run ended.
type outcome int

const (
	finished outcome = iota
	halted
	failed   // as the film says
	vanished // nothing can be sent any more
)

// make makes all there is and says how it ended.
func (r *run) make() {
	defer close(r.done)
	if r.after != nil {
		<-r.after
	}
	end, because := r.produce()
	r.worker.mu.Lock()
	delete(r.worker.runs, r.id)
	r.worker.mu.Unlock()
	if end == vanished {
		return
	}
	m := wire.Ended{Run: r.id, Halted: end == halted}
	if end == failed {
		m.Error = because
	}
	_ = r.worker.conn.Write(m) // the reader sees the end of a connection, too
}

// produce makes all there is, and returns what a failed run failed with.
func (r *run) produce() (outcome, *wire.Error) {
	because := &wire.Error{Code: r.film.Trouble.Code, Sentence: r.film.Trouble.Sentence}
	switch {
	case r.transcode != nil:
		return r.output()
	case r.stream.Kind == wire.StreamVideo:
		return r.video(), because
	case r.stream.Kind == wire.StreamAudio:
		return r.audio(), because
	default:
		return r.text(), because
	}
}

// halt ends the run. The caller holds worker.mu.
func (r *run) halt() {
	r.halted = true
	if r.transcode != nil {
		r.transcode.interrupt()
	}
}

// begin waits until what begins at a time of the film may be made. The bool says
// whether a key frame is asked for.
func (r *run) begin(segment int, at float64) (key bool, end outcome) {
	w := r.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	r.until = at
	for segment >= r.limit && !r.halted && !w.closed {
		r.waiting = true
		w.moved.Wait()
	}
	r.waiting = false
	switch {
	case w.closed:
		return false, vanished
	case r.halted:
		return false, halted
	}
	key, r.key = r.key, false
	return key, finished
}

// send sends a message that counts, after the trouble that is due before it.
func (r *run) send(m wire.Message, lasts time.Duration) outcome {
	if end := r.ail(); end != finished {
		return end
	}
	if err := r.worker.conn.Write(m); err != nil {
		return vanished
	}
	r.sent++
	return r.rest(lasts)
}

// ail has the trouble happen that is due now.
func (r *run) ail() outcome {
	t := r.film.Trouble
	if t.Kind != "" && t.Stream == r.stream.Kind && r.sent == t.After {
		return r.worker.trouble(t.Kind)
	}
	return finished
}

// rest keeps to the film's speed.
func (r *run) rest(lasts time.Duration) outcome {
	if r.film.Speed > 0 {
		select {
		case <-time.After(time.Duration(float64(lasts) / r.film.Speed)):
		case <-r.worker.end:
			return vanished
		}
	}
	return finished
}

// video makes pictures.
func (r *run) video() outcome {
	size, end := r.worker.size(), r.grid.end(r.film)
	e := newEncoder(size[0], size[1])
	name, data := e.codec()
	if err := r.worker.conn.Write(wire.Init{
		Run: r.id, Codec: name, CodecData: data, Width: size[0], Height: size[1], Aspect: [2]int{1, 1}, Colour: "bt709",
	}); err != nil {
		return vanished
	}
	for segment := r.first; ; segment++ {
		next := min(r.grid.start(segment+1, r.grid.scale), end)
		at := r.grid.start(segment, r.grid.scale)
		if at >= end {
			return finished
		}
		for i, begin := 0, at; at < next; i++ {
			key, out := r.begin(segment, float64(at)/float64(r.grid.scale))
			if out != finished {
				return out
			}
			key = key || at == begin
			duration := r.grid.frame
			if duration == 0 {
				duration = min(varyingTicks[i%len(varyingTicks)], next-at)
			}
			p := wire.Packet{Run: r.id, Key: key, PTS: at, DTS: at, Duration: duration}
			p.Data = e.picture(r.grid.number(segment, i), r.worker.countPicture(), key)
			if out := r.send(p, time.Duration(duration*int64(time.Second)/r.grid.scale)); out != finished {
				return out
			}
			at += duration
		}
	}
}

// number returns the number that is drawn in picture i of a segment: the frame's
// in the film, or segment × 256 + i where the rate varies.
func (g grid) number(segment, i int) int {
	if g.frames == 0 {
		return segment<<8 + i
	}
	return segment*g.frames + i
}

// audio makes frames of silence.
func (r *run) audio() outcome {
	a := r.film.Audio[r.stream.Index]
	if err := r.worker.conn.Write(wire.Init{Run: r.id, Codec: "mp4a.40.2", CodecData: audioConfig(a.Rate, a.Channels)}); err != nil {
		return vanished
	}
	first, count := a.frames(r.grid.duration(r.film))
	rate := int64(a.Rate)
	n := max(0, ceilDiv(r.grid.start(r.first, rate)-first, frameSamples))
	for ; n < count; n++ {
		at := first + n*frameSamples
		if _, out := r.begin(r.grid.segmentOf(at, rate), float64(at)/float64(rate)); out != finished {
			return out
		}
		p := wire.Packet{Run: r.id, Key: true, PTS: at, DTS: at, Duration: frameSamples, Data: silence(a.Channels, uint32(n))}
		if out := r.send(p, time.Duration(frameSamples*int64(time.Second)/rate)); out != finished {
			return out
		}
	}
	return finished
}

// segmentOf returns the segment in which what begins at a time of a scale lies.
func (g grid) segmentOf(at, scale int64) int {
	return int(at * g.scale / (g.segment * scale))
}

// text makes cues.
func (r *run) text() outcome {
	every := time.Duration(r.film.Text[r.stream.Index].Every)
	film := r.grid.duration(r.film)
	segments := int(ceilDiv(r.grid.end(r.film), r.grid.segment))
	for segment := r.first; segment < segments; segment++ {
		from, until := r.grid.at(segment), min(r.grid.at(segment+1), film)
		if _, out := r.begin(segment, from.Seconds()); out != finished {
			return out
		}
		for n := max(1, ceilDiv(int64(from), int64(every))); time.Duration(n)*every < until; n++ {
			start := time.Duration(n) * every
			cue := wire.Cue{Run: r.id, Start: start, End: start + every/2, Text: cueText(r.stream.Index, n)}
			if out := r.send(cue, every); out != finished {
				return out
			}
		}
		if err := r.worker.conn.Write(wire.Progress{Run: r.id, Until: until}); err != nil {
			return vanished
		}
	}
	return finished
}

// at returns when a segment begins, rounded up.
func (g grid) at(segment int) time.Duration {
	return time.Duration(math.Ceil(float64(segment) * float64(g.segment) / float64(g.scale) * float64(time.Second)))
}

// size returns the size of the picture that is encoded.
func (w *worker) size() [2]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sizeOf(w.open.Upscale, w.open.Video)
}

// countPicture counts a picture and returns its ground.
func (w *worker) countPicture() byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Upscaled++
	w.stats.Encoded++
	return Ground(w.open.Upscale.Strength)
}

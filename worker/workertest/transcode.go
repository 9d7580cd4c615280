package workertest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// tellEvery is how often Written is sent.
const tellEvery = 500 * time.Millisecond

// transcode is a film that is made into another one.
type transcode struct {
	request wire.Prepare
	film    Film
	file    *os.File  // of the source
	feed    io.Reader // what of the source follows the film
	output  *os.File  // nil until Transcode
}

// takePrepare receives the source and reads the film from it, beside the messages:
// what comes through a pipe may let one wait.
func (w *worker) takePrepare(m wire.Prepare, start func(func())) error {
	kind, f, err := wire.ReceiveSource(w.ends.Descriptors)
	if err != nil {
		return err
	}
	t := &transcode{request: m, file: f}
	w.mu.Lock()
	w.transcode = t
	w.mu.Unlock()
	start(func() {
		refused := t.open(kind)
		if refused != nil {
			_ = w.reply(m.ID, refused) // the reader sees the end of a connection, too
			return
		}
		w.mu.Lock()
		w.film = &t.film
		if t.film.Trouble.Kind == DeadOpen {
			w.ill = DeadOpen
		}
		w.mu.Unlock()
		if t.film.Trouble.Kind != DeadOpen {
			_ = w.conn.Write(wire.Reply{ID: m.ID, Prepared: t.prepared()}) // likewise
		}
	})
	return nil
}

// open finds the film at the begin of the source.
func (t *transcode) open(kind wire.SourceKind) *wire.Error {
	var content io.Reader = t.file
	switch kind {
	case wire.SourceFile:
		content = io.NewSectionReader(t.file, 0, t.request.Size)
	case wire.SourceRanges:
		all, err := readRanges(t.file, min(t.request.Size, maxFilm), t.request.Size)
		if err != nil {
			return sourceError(err)
		}
		content = bytes.NewReader(all)
	default: // a stream
	}
	in := bufio.NewReaderSize(content, 64<<10)
	if err := seekIndex(in, kind == wire.SourceStream); err != nil {
		return &wire.Error{Code: "not_media", Sentence: t.request.Name + " cannot be read as a stream.", Detail: err.Error()}
	}
	line, err := readLine(in)
	if err != nil {
		return sourceError(err)
	}
	if t.film, err = ParseFilm(line); err != nil {
		return &wire.Error{Code: "not_media", Sentence: t.request.Name + " is not a film.", Detail: err.Error()}
	}
	if trouble := t.film.Trouble; trouble.Kind == Refuse {
		return &wire.Error{Code: trouble.Code, Sentence: trouble.Sentence}
	}
	t.feed = in
	return nil
}

// seekIndex goes to the film in the index of an MP4 file, and stays where it is in
// all else. Like a real demuxer it cannot pass over the media to get there in a stream.
func seekIndex(in *bufio.Reader, stream bool) error {
	if head, err := in.Peek(8); err != nil || string(head[4:]) != "ftyp" {
		return nil //nolint:nilerr // too short for one: the film says what it is
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("no index: %w", err)
		}
		switch size := int64(binary.BigEndian.Uint32(head[:])); {
		case string(head[4:]) == "moov":
			return nil
		case string(head[4:]) == "mdat" && stream:
			return errors.New("the index is behind the media")
		case size < 8:
			return fmt.Errorf("a box of %d bytes", size)
		default:
			if _, err := io.CopyN(io.Discard, in, size-8); err != nil {
				return err
			}
		}
	}
}

// readLine reads to the end of a line or of the source, at most maxFilm bytes.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for len(line) < maxFilm {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
	}
	return line, nil
}

func (t *transcode) prepared() *wire.Prepared {
	grid := t.film.grid(0)
	o := t.request.Output
	return &wire.Prepared{
		Container: "JSON", Duration: grid.duration(&t.film),
		Video: wire.VideoInfo{
			TimeScale: grid.scale, Rate: t.film.Rate, SourceSize: sourceSize,
			Size: sizeOf(t.request.Upscale, wire.Video{Height: o.Height}), Aspect: [2]int{1, 1},
			Scale: scaleOf(t.request.Upscale.Model), Codec: "none", Decoder: []string{"arithmetic"},
		},
		Encoding: "arithmetic", Plan: []string{"The pictures are drawn."},
		Cost: wire.Cost{CoreMS: t.film.Cost, Upscale: t.film.Cost},
	}
}

// takeTranscode receives the output and makes a run that fills it.
func (w *worker) takeTranscode(m wire.Transcode) (*run, *wire.Error, error) {
	kind, f, err := wire.ReceiveSource(w.ends.Descriptors)
	if err != nil {
		return nil, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.transcode
	if kind != wire.SourceOutput || t == nil || t.feed == nil || t.output != nil {
		_ = f.Close() // nothing was written
		return nil, &wire.Error{Code: "bad_request", Sentence: "There is nothing prepared to be transcoded."}, nil
	}
	t.output = f
	r := &run{
		worker: w, id: m.Run, stream: wire.Stream{Kind: wire.StreamVideo}, film: &t.film, grid: t.film.grid(0),
		limit: 1, done: make(chan struct{}), transcode: t,
	}
	w.runs[m.Run] = r
	return r, nil, nil
}

// interrupt wakes who waits for the source or the output. Regular files let nobody
// wait, and refuse.
func (t *transcode) interrupt() {
	_ = t.file.SetReadDeadline(time.Unix(1, 0))
	if t.output != nil {
		_ = t.output.SetWriteDeadline(time.Unix(1, 0))
	}
}

// close lets go of the source, and of the output unless that is done.
func (t *transcode) close() {
	_ = t.file.Close() // only read
	if t.output != nil {
		_ = t.output.Close() // done with, or of no use
	}
}

// output makes the output, and returns what a failed one failed with.
func (r *run) output() (outcome, *wire.Error) {
	t := r.transcode
	defer t.close()
	made := wire.Written{Run: r.id}
	told := time.Now()
	begin := Head(t.request) // goes with the first block, so that trouble may come before it
	sum := fnv.New64a()
	first, last := t.span()
	for n := range last {
		if err := t.draw(sum); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return r.broken(err)
		}
		if n < first {
			continue
		}
		if _, out := r.begin(0, t.at(n).Seconds()); out != finished {
			return out, nil
		}
		if out := r.ail(); out != finished {
			return out, &wire.Error{Code: t.film.Trouble.Code, Sentence: t.film.Trouble.Sentence}
		}
		if _, err := t.output.Write(append(begin, Block(n, sum.Sum64(), t.film.Block)...)); err != nil {
			return r.broken(err)
		}
		begin = nil
		r.sent++
		r.worker.countPicture()
		made.Position = t.at(n + 1 - first)
		made.Decoded, made.Upscaled, made.Encoded = made.Decoded+1, made.Upscaled+1, made.Encoded+1
		if now := time.Now(); now.Sub(told) >= tellEvery {
			told = now
			_ = r.worker.conn.Write(made) // the reader sees the end of a connection, too
		}
		if out := r.rest(t.at(1)); out != finished {
			return out, nil
		}
	}
	if _, err := t.output.Write(begin); err != nil {
		return r.broken(err)
	}
	if err := t.output.Close(); err != nil {
		return r.broken(err)
	}
	_ = r.worker.conn.Write(made) // as above
	return finished, nil
}

// span returns the first picture that is made and the one behind the last.
func (t *transcode) span() (first, last int) {
	o := t.request.Output
	first, last = t.picture(o.Start), t.picture(time.Duration(t.film.Duration))
	if o.Duration > 0 {
		last = min(last, t.picture(o.Start+o.Duration))
	}
	return first, last
}

// rate returns how many pictures a second has.
func (t *transcode) rate() float64 {
	if t.film.Rate[0] == 0 {
		return 25
	}
	return float64(t.film.Rate[0]) / float64(t.film.Rate[1])
}

// picture returns the first picture at or after a time, and at the time of a picture.
func (t *transcode) picture(at time.Duration) int {
	return int(math.Ceil(at.Seconds()*t.rate() - 1e-6))
}

func (t *transcode) at(picture int) time.Duration {
	return time.Duration(math.Round(float64(picture) * float64(time.Second) / t.rate()))
}

// draw reads what a picture is made from. A source that ends within it has no
// such picture.
func (t *transcode) draw(sum io.Writer) error {
	if t.film.Feed == 0 {
		return nil
	}
	data := make([]byte, t.film.Feed)
	if _, err := io.ReadFull(t.feed, data); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return err
	}
	_, _ = sum.Write(data) // a hash takes all
	return nil
}

// broken is the outcome of an error of the source or the output.
func (r *run) broken(err error) (outcome, *wire.Error) {
	r.worker.mu.Lock()
	halt, closed := r.halted, r.worker.closed
	r.worker.mu.Unlock()
	switch {
	case closed:
		return vanished, nil
	case halt:
		return halted, nil
	case errors.Is(err, syscall.ENOSPC):
		return failed, &wire.Error{Code: "disk_full", Sentence: "The disk is full.", Detail: err.Error()}
	}
	return failed, &wire.Error{Code: "output_refused", Sentence: "The output cannot be written.", Detail: err.Error()}
}

// Head returns what the output of a transcode begins with: a line that says what
// was asked for.
func Head(m wire.Prepare) []byte {
	o, u := m.Output, m.Upscale
	return fmt.Appendf(nil, "film %s %q height=%d quality=%d speed=%q audio=%q track=%d start=%s duration=%s stream=%t model=%s provider=%q strength=%g gamma=%g\n",
		o.Container, o.VideoCodec, o.Height, o.Quality, o.Speed, o.Audio, o.Track, o.Start, o.Duration, o.Stream,
		u.Model, u.Provider, u.Strength, u.Filters.Gamma)
}

// Block returns the bytes of one picture in the output of a transcode: its number,
// the FNV-1a sum of all that was fed up to it, and noise that both decide.
func Block(number int, fed uint64, size int) []byte {
	b := make([]byte, 16, max(size, 16)+8)
	binary.BigEndian.PutUint64(b, uint64(number))
	binary.BigEndian.PutUint64(b[8:], fed)
	for x := fed ^ uint64(number)*0x9e3779b97f4a7c15 | 1; len(b) < size; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b[:max(size, 16)]
}

// Transcoded returns the whole output of a transcode of a film that is followed by
// what is fed.
func Transcoded(m wire.Prepare, film Film, fed []byte) []byte {
	film.fill()
	t := transcode{request: m, film: film, feed: bytes.NewReader(fed)}
	out, sum := Head(m), fnv.New64a()
	first, last := t.span()
	for n := range last {
		if t.draw(sum) != nil {
			break
		}
		if n >= first {
			out = append(out, Block(n, sum.Sum64(), film.Block)...)
		}
	}
	return out
}

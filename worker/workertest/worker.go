package workertest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// heartbeat is how often Stats are sent.
const heartbeat = time.Second

// errTrouble ends a worker whose film says so.
var errTrouble = errors.New("trouble of the film")

// Serve is a worker at its end of a connection, until the server stops it or
// closes the connection, or trouble ends it. It closes both sockets. The
// troubles that would end the process end the connection alone.
func Serve(ends wire.Ends) error { return serve(ends, "", func(syscall.Signal) {}) }

func serve(ends wire.Ends, start Kind, die func(syscall.Signal)) error {
	defer func() { _ = ends.Close() }() // the server sees it
	w := &worker{ends: ends, conn: wire.NewConn(ends.Frames), die: die, born: time.Now(), runs: map[uint32]*run{}, end: make(chan struct{})}
	w.moved.L = &w.mu
	if err := w.greet(start); err != nil {
		return err
	}
	var all sync.WaitGroup
	defer func() {
		w.stop()
		all.Wait()
		if w.transcode != nil {
			w.transcode.close()
		}
	}()
	all.Go(w.sendStats)
	for {
		m, err := w.conn.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := m.(wire.Stop); ok {
			return nil
		}
		if w.sick(Deaf) || w.sick(Hang) {
			return errors.Join(errTrouble, w.abandoned())
		}
		if err := w.take(m, &all); err != nil {
			return err
		}
	}
}

// worker is one connection.
type worker struct {
	ends wire.Ends
	conn *wire.Conn
	die  func(syscall.Signal) // ends the process, if this is one
	born time.Time
	once sync.Once
	end  chan struct{} // closed when the worker ends

	mu     sync.Mutex
	moved  sync.Cond // a limit moved, a run was halted, the worker ends
	film   *Film     // guarded by mu; nil until Open
	open   wire.Open // guarded by mu: what is in effect
	runs   map[uint32]*run
	stats  wire.Stats // guarded by mu
	ill    Kind       // guarded by mu: trouble that lasts
	closed bool       // guarded by mu

	transcode *transcode // guarded by mu; nil until Prepare
}

// greet exchanges Hello, or makes the trouble of a start.
func (w *worker) greet(start Kind) error {
	hello := wire.Hello{Version: wire.Version, GStreamer: "none", ONNXRuntime: "none"}
	switch start {
	case ExitAtStart:
		return errTrouble
	case AbortAtStart:
		w.die(syscall.SIGABRT)
		return errTrouble
	case SilentAtStart:
		_, err := io.Copy(io.Discard, w.ends.Frames)
		return err
	case OldAtStart:
		hello.Version = wire.Version - 1
	case NoiseAtStart:
		return errors.Join(errTrouble, w.noise())
	default: // none, or one that comes later
	}
	if err := w.conn.Write(hello); err != nil {
		return err
	}
	m, err := w.conn.Read()
	if err != nil {
		return err
	}
	if h, ok := m.(wire.Hello); !ok || h.Version != wire.Version {
		return fmt.Errorf("%w: no hello of version %d", wire.ErrProtocol, wire.Version)
	}
	return nil
}

// noise sends bytes that are no frame.
func (w *worker) noise() error {
	_, err := w.ends.Frames.Write([]byte("This is no frame, and there is no more of it to come."))
	return err
}

// stop ends every run.
func (w *worker) stop() {
	w.once.Do(func() { close(w.end) })
	w.mu.Lock()
	w.closed = true
	if w.transcode != nil {
		w.transcode.interrupt()
	}
	w.mu.Unlock()
	w.moved.Broadcast()
	_ = w.ends.Close() // wakes who writes
}

// take does what a message asks for.
func (w *worker) take(m wire.Message, all *sync.WaitGroup) error {
	switch m := m.(type) {
	case wire.Load:
		return w.takeModel(m)
	case wire.Open:
		return w.takeOpen(m)
	case wire.Play:
		r, refused := w.play(m)
		if err := w.reply(m.ID, refused); err != nil || refused != nil {
			return err
		}
		all.Go(r.make) // after the Reply, which so comes before all else of the run
	case wire.Limit:
		w.change(m.Run, func(r *run) { r.limit = m.Segment })
	case wire.Halt:
		w.change(m.Run, (*run).halt)
	case wire.Prepare:
		return w.takePrepare(m, all.Go)
	case wire.Transcode:
		r, refused, err := w.takeTranscode(m)
		if err != nil {
			return err
		}
		if err := w.reply(m.ID, refused); err != nil || refused != nil {
			return err
		}
		all.Go(r.make)
	case wire.KeyFrame:
		w.change(m.Run, func(r *run) { r.key = true })
		return w.reply(m.ID, nil)
	case wire.Set:
		return w.reply(m.ID, w.set(m))
	case wire.Relay:
		return w.takeRelay(m, all)
	case wire.Measure:
		return w.conn.Write(measured(m))
	default:
		return fmt.Errorf("%w: %s from a server", wire.ErrProtocol, m.Kind())
	}
	return nil
}

// measured is the reply on a machine without a GPU.
func measured(m wire.Measure) wire.Reply {
	switch m.Provider {
	case "", "auto", "cpu":
		return wire.Reply{ID: m.ID, Costs: &wire.Costs{Model: m.Model, Provider: "cpu", Decode: 10, Upscale: 100, Encode: 20}}
	default:
		return wire.Reply{ID: m.ID, Error: &wire.Error{Code: wire.CodeProvider, Sentence: "There is no GPU."}}
	}
}

func (w *worker) reply(id uint32, e *wire.Error) error {
	return w.conn.Write(wire.Reply{ID: id, Error: e})
}

// takeOpen reads the film.
func (w *worker) takeOpen(m wire.Open) error {
	content, err := readSource(w.ends.Descriptors, m.Size)
	if errors.Is(err, errSource) {
		return w.reply(m.ID, sourceError(err))
	}
	if err != nil {
		return err
	}
	film, err := ParseFilm(content)
	if err != nil {
		return w.reply(m.ID, &wire.Error{Code: "not_media", Sentence: m.Name + " is not a film.", Detail: err.Error()})
	}
	if t := film.Trouble; t.Kind == Refuse {
		return w.reply(m.ID, &wire.Error{Code: t.Code, Sentence: t.Sentence})
	}
	w.mu.Lock()
	w.film, w.open = &film, m
	if k := film.Trouble.Kind; k == DeadOpen {
		w.ill = k
	}
	w.mu.Unlock()
	if film.Trouble.Kind == DeadOpen {
		return nil
	}
	return w.conn.Write(wire.Reply{ID: m.ID, Opened: film.opened(m)})
}

// takeModel takes the file of a model and holds it to its hash.
func (w *worker) takeModel(m wire.Load) error {
	kind, f, err := wire.ReceiveSource(w.ends.Descriptors)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(data)); kind != wire.SourceModel || sum != m.SHA256 {
		return w.reply(m.ID, &wire.Error{Code: "model_invalid", Sentence: m.Model + " is not what its manifest says."})
	}
	return w.reply(m.ID, nil)
}

// play makes a run, and halts the one of the same stream.
func (w *worker) play(m wire.Play) (*run, *wire.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.film == nil {
		return nil, &wire.Error{Code: "bad_request", Sentence: "There is no film to play."}
	}
	if m.Upscale != nil {
		w.open.Upscale = *m.Upscale
	}
	if m.Video != nil {
		w.open.Video = *m.Video
	}
	r, err := newRun(w, m)
	if err != nil {
		return nil, &wire.Error{Code: "bad_request", Sentence: err.Error()}
	}
	for _, other := range w.runs {
		if other.stream == m.Stream {
			other.halted = true
			r.after = other.done
		}
	}
	w.runs[m.Run] = r
	w.moved.Broadcast()
	return r, nil
}

// change changes a run that is still going.
func (w *worker) change(id uint32, f func(*run)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[id]; r != nil {
		f(r)
		w.moved.Broadcast()
	}
}

// set changes what runs.
func (w *worker) set(m wire.Set) *wire.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Model != nil {
		if scaleOf(*m.Model) != scaleOf(w.open.Upscale.Model) {
			return &wire.Error{Code: "bad_request", Sentence: "The model has another scale than the one that runs."}
		}
		w.open.Upscale.Model = *m.Model
	}
	if m.Strength != nil {
		w.open.Upscale.Strength = *m.Strength
	}
	if m.Filters != nil {
		w.open.Upscale.Filters = *m.Filters
	}
	return nil
}

// sick reports whether a lasting trouble has begun.
func (w *worker) sick(k Kind) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ill == k
}

// sendStats sends Stats until the worker ends, or is to fall silent.
func (w *worker) sendStats() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		stats, ok := w.measure()
		if ok && w.conn.Write(stats) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-w.end:
			return
		}
	}
}

// measure returns how far the runs are.
func (w *worker) measure() (stats wire.Stats, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stats = w.stats
	stats.Threads = 1
	stats.Model, stats.Provider = w.open.Upscale.Model, "none"
	stats.Runs = []wire.RunStats{}
	for id, r := range w.runs {
		stats.Runs = append(stats.Runs, wire.RunStats{Run: id, Waiting: r.waiting, Until: r.until})
	}
	return stats, w.ill != Mute && w.ill != Hang
}

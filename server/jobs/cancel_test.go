package jobs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// cancelled is what a Cancel returned.
type cancelled struct {
	job Job
	err error
}

// cancels cancels a job beside the test, which receives what comes of it.
func (b *bench) cancels(id string) <-chan cancelled {
	b.t.Helper()
	result := make(chan cancelled, 1)
	ctx, stop := context.WithCancel(context.Background())
	b.t.Cleanup(stop)
	go func() {
		job, err := b.Cancel(ctx, id)
		result <- cancelled{job, err}
	}()
	synctest.Wait()
	return result
}

// now returns what there is of a Cancel once nothing moves any more.
func (b *bench) now(result <-chan cancelled) cancelled {
	b.t.Helper()
	synctest.Wait()
	select {
	case c := <-result:
		return c
	default:
		b.t.Fatal("the cancel is not answered")
		return cancelled{}
	}
}

// TestCancelAfterAFailure cancels a job whose worker has failed by what may pass, and
// is not gone yet: it is not tried again.
func TestCancelAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(5))
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		w := b.starter.last()
		enough := w.lingers()
		defer enough()
		w.finish(&wire.Error{Code: "disk_full", Sentence: "No room."})
		synctest.Wait()
		first, second := b.cancels(a), b.cancels(a)
		enough()
		for _, result := range []<-chan cancelled{first, second, b.cancels(a)} {
			if c := b.now(result); c.err != nil || c.job.State != StateCancelled {
				t.Errorf("%s, %v", c.job.State, c.err)
			}
		}
		clean(t, b.folder, "a.mkv")
	})
}

// TestCancelThatCannotBeStored refuses to cancel while the store's disk is full: a job
// whose end waits for that, one that runs, and one that was tried before. Those are
// cancelled once there is room.
func TestCancelThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(5), func(o *Options) { o.Concurrency = 2 })
		defer b.stop()
		ends, runs := b.add("ends.mkv"), b.add("runs.mkv")
		synctest.Wait()
		b.breaks(errors.New("no space left on device"))
		b.starter.of("films/ends.mkv").handler.Ended(wire.Ended{Run: run, Error: &wire.Error{Code: "damaged", Sentence: "It breaks off."}})
		synctest.Wait()
		for _, id := range []string{ends, runs, runs} {
			refused(t, b.now(b.cancels(id)).err, problem.JobsUnwritable)
		}
		b.are(map[string]State{ends: StateRunning, runs: StateRunning})
		b.breaks(nil)
		<-time.After(lookEvery + time.Second)
		b.are(map[string]State{ends: StateCancelled, runs: StateCancelled})
		clean(t, b.folder, "ends.mkv", "runs.mkv")
	})
}

// TestCancelWhileTheServerEnds is refused: the job is queued for the next start.
func TestCancelWhileTheServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		enough := b.starter.last().lingers()
		defer enough()
		b.Drain()
		refused(t, b.now(b.cancels(a)).err, problem.ShuttingDown)
		enough()
		b.are(map[string]State{a: StateQueued})
	})
}

// warnings counts what is logged as a warning, and what of that while nobody else
// could look at the jobs.
type warnings struct {
	slog.Handler
	queue  *Queue // whose log is looked at; nil: none
	all    atomic.Int32
	locked atomic.Int32
}

func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level == slog.LevelWarn }

func (w *warnings) Handle(context.Context, slog.Record) error {
	if w.queue == nil {
		return nil
	}
	w.all.Add(1)
	if !w.queue.mu.TryLock() {
		w.locked.Add(1)
		return nil
	}
	w.queue.mu.Unlock()
	return nil
}

// TestCancelOfWhatWasBegun cancels jobs that wait, and that a server which was killed
// has begun: what it has left is removed without mu, it is said where that cannot be, and
// an output that was whole is not taken away.
func TestCancelOfWhatWasBegun(t *testing.T) {
	for name, c := range map[string]struct {
		before func(folder string, r *Record) // what lies in the folder of the output
		want   State
		warns  int32
		left   []string
	}{
		"half": {func(folder string, r *Record) { write(t, filepath.Join(folder, r.part()), "half") }, StateCancelled, 0, nil},
		"whole": {func(folder string, r *Record) {
			mark := write(t, filepath.Join(folder, r.part()), "whole")
			r.Whole = &mark
		}, StateDone, 0, []string{"a.upscaled.mkv"}},
		"folder gone": {func(folder string, _ *Record) { must(t, os.Remove(folder)) }, StateCancelled, 1, nil},
		"not to be removed": {func(folder string, r *Record) {
			must(t, os.MkdirAll(filepath.Join(folder, r.part(), "x"), 0o755))
		}, StateCancelled, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &warnings{}
				b := newBench(t)
				defer func() { b.stop() }()
				must(t, os.Mkdir(filepath.Join(b.other, "kept"), 0o755))
				a := b.add("a.mkv", func(o *Order) { o.Output = "made/to" })
				synctest.Wait()
				folder, aside := filepath.Join(b.other, "to"), filepath.Join(b.other, "aside")
				b.o.Log = slog.New(w)
				b.restart(func(r *Record) {
					r.State, r.Held = StatePaused, true
					c.before(folder, r)
					_ = os.Rename(folder, aside) // away while the next server starts
				})
				synctest.Wait()
				_ = os.Rename(aside, folder)
				w.queue = b.Queue
				if got := b.now(b.cancels(a)); got.err != nil || got.job.State != c.want {
					t.Errorf("%s, %v", got.job.State, got.err)
				}
				if w.all.Load() != c.warns || w.locked.Load() != 0 {
					t.Errorf("%d warnings, %d with the jobs locked", w.all.Load(), w.locked.Load())
				}
				if c.want == StateDone || c.warns == 0 {
					clean(t, folder, c.left...)
				}
			})
		})
	}
}

// write writes a file, and returns by what it is known.
func write(t *testing.T, path, text string) Mark {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return markOf(info)
}

// TestEndWhileTheOutputIsWrittenOut cancels a job while its output is written out to
// the disk, which nothing can stop: nothing of it is left. The server's end does not
// throw away what is whole by then.
func TestEndWhileTheOutputIsWrittenOut(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(b *bench, id string)
		want State
		left []string
	}{
		{"cancelled", func(b *bench, id string) { b.cancels(id) }, StateCancelled, []string{"a.mkv"}},
		{"stopped", func(b *bench, _ string) { b.Drain() }, StateDone, []string{"a.mkv", "a.upscaled.mkv"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				synced := make(chan struct{})
				b := newBench(t, func(o *Options) {
					o.step = func(name string) {
						if name == "before sync" {
							<-synced
						}
					}
				})
				defer b.stop()
				a := b.add("a.mkv")
				synctest.Wait()
				b.starter.last().finish(nil)
				synctest.Wait()
				c.end(b, a)
				close(synced)
				b.are(map[string]State{a: c.want})
				clean(t, b.folder, c.left...)
			})
		})
	}
}

package jobs

import (
	"context"
	"errors"
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

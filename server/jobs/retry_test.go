package jobs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func retries(n int) func(*Options) { return func(o *Options) { o.Retries = n } }

// lost has the worker of a job gone.
func (b *bench) lost() { b.starter.last().handler.Gone(&pool.GoneError{Reason: pool.ReasonExited}) }

// rests checks that a job waits to be tried again, and lets that time pass.
func (b *bench) rests(id string, failures int, pause time.Duration) {
	b.t.Helper()
	b.are(map[string]State{id: StateQueued})
	job, err := b.Get(id)
	if err != nil || job.Waiting != WaitingRetry || job.Failures != failures || job.Next == nil || time.Until(*job.Next) != pause || job.Failure == nil {
		b.t.Fatalf("%+v, %+v, %v", job, job.Failure, err)
	}
	<-time.After(pause - time.Second)
	b.are(map[string]State{id: StateQueued})
	<-time.After(time.Second + lookEvery)
}

// TestTriedAgain loses the worker of a job as often as it is tried again, and once more.
func TestTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(2))
		defer b.stop()
		a, next := b.add("a.mkv"), b.add("b.mkv")
		synctest.Wait()
		b.lost()
		b.are(map[string]State{a: StateQueued, next: StateRunning})
		clean(t, b.folder, "."+next+".part", "a.mkv", "b.mkv")
		b.starter.last().finish(nil)
		b.rests(a, 1, 30*time.Second)
		b.are(map[string]State{a: StateRunning})
		if job, _ := b.Get(a); job.Failure != nil || job.Next != nil || job.Attempts != 2 {
			t.Errorf("it runs, and %+v", job)
		}
		b.lost()
		b.rests(a, 2, time.Minute)
		b.are(map[string]State{a: StateRunning})
		b.lost()
		b.are(map[string]State{a: StateFailed})
		if job, _ := b.Get(a); job.Failure == nil || job.Failure.Code != problem.WorkerLost || job.Attempts != 3 {
			t.Errorf("%+v", job)
		}
		clean(t, b.folder, "a.mkv", "b.mkv", "b.upscaled.mkv")
	})
}

// TestRetryIsDueByTheMonotonicClock sees that the wait has the clock which nobody sets.
func TestRetryIsDueByTheMonotonicClock(t *testing.T) {
	var r Record
	r.again(StateQueued, pool.ErrNoReply)
	before := r.Next.String()
	if r.remember(); !strings.Contains(before, " m=") || !strings.Contains(r.Next.String(), " m=") {
		t.Errorf("it waits until %s, after a start until %s", before, r.Next)
	}
}

// TestSourceComesBack tries a job again whose source cannot be reached for a while; a
// film that is damaged stays so.
func TestSourceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(1))
		defer b.stop()
		b.starter.fails = &source.Error{Code: source.CodeUnreachable, Sentence: "It does not answer."}
		a := b.add("a.mkv")
		synctest.Wait()
		b.starter.mu.Lock()
		b.starter.fails = nil
		b.starter.mu.Unlock()
		b.rests(a, 1, firstAgain)
		b.are(map[string]State{a: StateRunning})
		b.starter.last().finish(&wire.Error{Code: "damaged", Sentence: "It breaks off."})
		b.are(map[string]State{a: StateFailed})
	})
}

// TestWaitIsCutShort resumes a job that waits to be tried again, and cancels one.
func TestWaitIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(5))
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		b.lost()
		b.are(map[string]State{a: StateQueued})
		no := false
		if _, err := b.Change(a, Change{Paused: &no}); err != nil {
			t.Fatal(err)
		}
		b.are(map[string]State{a: StateRunning})
		b.lost()
		synctest.Wait()
		if job, err := b.Cancel(t.Context(), a); err != nil || job.State != StateCancelled || job.Failure != nil || job.Next != nil {
			t.Errorf("%+v, %v", job, err)
		}
		clean(t, b.folder, "a.mkv")
	})
}

// TestClockWasSet starts the queue on times of another clock: a job that waits to be
// tried again waits as long as it would have at most, its failures are still counted,
// and turns are taken in the order of the orders.
func TestClockWasSet(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 1000 * time.Hour, "behind": -1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, retries(1))
				defer func() { b.stop() }()
				a := b.add("a.mkv")
				synctest.Wait()
				b.lost()
				synctest.Wait()
				yes := true
				if _, err := b.Change(a, Change{Paused: &yes}); err != nil {
					t.Fatal(err)
				}
				first, second := b.add("first.mkv"), b.add("second.mkv")
				synctest.Wait()
				b.restart(func(r *Record) {
					r.Held = false
					if r.Created = r.Created.Add(off); !r.Next.IsZero() {
						r.State, r.Next = StateQueued, r.Next.Add(off)
					}
					if r.ID == second { // the clock was set between the two
						r.Created = r.Created.Add(-2 * off)
					}
				})
				if synctest.Wait(); off < 0 {
					b.are(map[string]State{a: StateRunning, first: StateQueued, second: StateQueued})
				} else {
					b.are(map[string]State{a: StateQueued, first: StateRunning, second: StateQueued})
					<-time.After(firstAgain)
					b.starter.last().finish(nil)
					b.are(map[string]State{a: StateRunning, first: StateDone, second: StateQueued})
				}
				b.lost()
				b.are(map[string]State{a: StateFailed})
			})
		})
	}
}

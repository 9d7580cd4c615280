package jobs

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestTurns does jobs by priority, and those of the same one as they came.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		low, mid := b.add("low.mkv", priority(2)), b.add("mid.mkv")
		high, later := b.add("high.mkv", priority(9)), b.add("later.mkv")
		b.are(map[string]State{a: StateRunning, low: StateQueued, mid: StateQueued, high: StateQueued, later: StateQueued})
		seven := 7
		if _, err := b.Change(later, Change{Priority: &seven}); err != nil {
			t.Fatal(err)
		}
		for _, next := range []string{high, later, mid, low} {
			b.starter.last().finish(nil)
			b.are(map[string]State{next: StateRunning})
		}
		b.starter.last().finish(nil)
		b.are(map[string]State{a: StateDone, low: StateDone, mid: StateDone, high: StateDone, later: StateDone})
		if data, err := os.ReadFile(filepath.Join(b.folder, "low.upscaled.mkv")); string(data) != "film of films/low.mkv" {
			t.Errorf("%q, %v", data, err)
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Concurrency = 2 })
		defer b.stop()
		one, two, three := b.add("1.mkv"), b.add("2.mkv"), b.add("3.mkv")
		b.are(map[string]State{one: StateRunning, two: StateRunning, three: StateQueued})
		b.starter.of("films/1.mkv").finish(nil)
		b.are(map[string]State{one: StateDone, two: StateRunning, three: StateRunning})
	})
}

// TestJobsYield has jobs give way to who watches, and go on where they were.
func TestJobsYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		runs, waits := b.add("a.mkv"), b.add("b.mkv")
		synctest.Wait()
		w := b.starter.last()
		b.host.play(1)
		b.are(map[string]State{runs: StatePaused, waits: StateQueued})
		if job, _ := b.Get(runs); !w.paused() || job.Waiting != WaitingSessions {
			t.Errorf("paused %v, waiting for %q", w.paused(), job.Waiting)
		}
		w.finish(nil) // it was nearly done
		b.are(map[string]State{runs: StateDone, waits: StateQueued})
		b.host.play(0)
		b.are(map[string]State{waits: StateRunning})
		w = b.starter.last()
		b.host.play(2)
		b.are(map[string]State{waits: StatePaused})
		b.host.play(0)
		b.are(map[string]State{waits: StateRunning})
		if w != b.starter.last() || w.paused() {
			t.Error("it does not go on with the worker that it had")
		}
		if len(b.host.booked) != 2 || b.host.booked[0] != (wire.Cost{}) {
			t.Errorf("jobs that yield book %v", b.host.booked)
		}
	})
}

// TestJobsBeside runs a job beside a session, for its share of the machine.
func TestJobsBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Yield, o.Booking = false, wire.Cost{CoreMS: 1500} })
		defer b.stop()
		b.host.play(1)
		synctest.Wait()
		b.are(map[string]State{b.add("a.mkv"): StateRunning})
		if b.host.booked[0].CoreMS != 1500 {
			t.Errorf("%v", b.host.booked)
		}
	})
}

// TestJobsStandBack has jobs that do not yield give way where others were given what
// they have.
func TestJobsStandBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Yield = false })
		defer b.stop()
		runs, waits := b.add("a.mkv"), b.add("b.mkv")
		synctest.Wait()
		b.host.tell(Others{Playing: 2, Crowded: true})
		b.are(map[string]State{runs: StatePaused, waits: StateQueued})
		if job, _ := b.Get(runs); !b.starter.last().paused() || job.Waiting != WaitingSessions {
			t.Errorf("waiting for %q", job.Waiting)
		}
		b.host.tell(Others{Playing: 1})
		b.are(map[string]State{runs: StateRunning})
	})
}

// TestJobWaitsForRoom does not fail a job for which there is none now.
func TestJobWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.host.room = 0
		a := b.add("a.mkv")
		b.are(map[string]State{a: StateQueued})
		if job, _ := b.Get(a); job.Waiting != WaitingRoom || job.Attempts != 0 {
			t.Errorf("waiting for %q after %d attempts", job.Waiting, job.Attempts)
		}
		b.host.give(1)
		b.are(map[string]State{a: StateRunning})
	})
}

func TestJobWaitsForAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.starter.none = true
		a := b.add("a.mkv")
		b.are(map[string]State{a: StateQueued})
		if job, _ := b.Get(a); job.Waiting != WaitingWorker && job.Waiting != "" { // it may be trying
			t.Errorf("waiting for %q", job.Waiting)
		}
		b.starter.mu.Lock()
		b.starter.none = false
		b.starter.mu.Unlock()
		<-time.After(lookEvery + time.Second)
		b.are(map[string]State{a: StateRunning})
	})
}

func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		runs, waits := b.add("a.mkv"), b.add("b.mkv")
		synctest.Wait()
		yes, no := true, false
		for _, id := range []string{runs, waits} {
			if job, err := b.Change(id, Change{Paused: &yes}); err != nil || job.State != StatePaused || job.Waiting != WaitingClient {
				t.Errorf("%s, %q, %v", job.State, job.Waiting, err)
			}
		}
		w := b.starter.last()
		if !w.paused() {
			t.Error("the worker goes on")
		}
		if job, err := b.Change(runs, Change{Paused: &no}); err != nil || job.State != StateRunning {
			t.Errorf("%s, %v", job.State, err)
		}
		w.finish(nil)
		b.are(map[string]State{runs: StateDone, waits: StatePaused})
		if _, err := b.Change(waits, Change{Paused: &no}); err != nil {
			t.Error(err)
		}
		b.are(map[string]State{waits: StateRunning})
		_, err := b.Change(runs, Change{Paused: &yes})
		refused(t, err, problem.JobOver)
	})
}

// TestPauseGivesThePlace has others go on while a job that was begun is paused by a
// client, as long as there are not too many workers that stand still, and that job when
// there is a place again.
func TestPauseGivesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		one := b.add("1.mkv")
		synctest.Wait()
		two, three := b.add("2.mkv", priority(9)), b.add("3.mkv", priority(9))
		hold := func(id string, paused bool) {
			t.Helper()
			_, err := b.Change(id, Change{Paused: &paused})
			must(t, err)
		}
		b.are(map[string]State{one: StateRunning, two: StateQueued, three: StateQueued})
		hold(one, true)
		b.are(map[string]State{one: StatePaused, two: StateRunning, three: StateQueued})
		hold(two, true)
		b.are(map[string]State{one: StatePaused, two: StatePaused, three: StateQueued}) // two workers stand still
		hold(two, false)
		hold(one, false)
		b.are(map[string]State{one: StatePaused, two: StateRunning, three: StateQueued})
		if job, _ := b.Get(one); job.Waiting != WaitingTurn {
			t.Errorf("waiting for %q", job.Waiting)
		}
		b.starter.of("films/2.mkv").finish(nil)
		b.are(map[string]State{one: StateRunning, two: StateDone, three: StateQueued})
		if w := b.starter.last(); w.name != "films/2.mkv" || b.starter.of("films/1.mkv").paused() {
			t.Errorf("it does not go on with the worker that it had; the last is that of %s", w.name)
		}
		b.starter.of("films/1.mkv").finish(nil)
		b.are(map[string]State{one: StateDone, three: StateRunning})
	})
}

// TestProgressAndETA measures by what was worked, without pauses.
func TestProgressAndETA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		w := b.starter.last()
		<-time.After(10 * time.Second)
		w.reach(20 * time.Second)
		b.host.play(1)
		synctest.Wait()
		<-time.After(time.Hour)
		b.host.play(0)
		synctest.Wait()
		<-time.After(10 * time.Second)
		w.reach(40 * time.Second)
		job, err := b.Get(a)
		if err != nil || job.Progress == nil {
			t.Fatal(err)
		}
		p := job.Progress
		near := func(name string, got, want float64) {
			if math.Abs(got-want) > 0.01*want {
				t.Errorf("%s is %g, want %g", name, got, want)
			}
		}
		near("position", p.Position, 40)
		near("percent", *p.Percent, 40)
		near("real_time", p.RealTime, 2)
		near("fps", p.FPS, 50)
		near("elapsed", p.Elapsed, 20)
		near("eta", *p.ETA, 30)
		if film := b.Counts().Film; film != 40*time.Second {
			t.Errorf("%s of film", film)
		}
		w.finish(nil)
		synctest.Wait()
		if film := b.Counts().Film; film != 40*time.Second {
			t.Errorf("%s of film when it is done", film)
		}
	})
}

// TestEndsFromWithout ends the session that a job is made as.
func TestEndsFromWithout(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(l Life, w *stubWorker)
		want State
		code problem.Code
	}{
		{"deleted", func(l Life, _ *stubWorker) { l.End(session.CauseClient) }, StateCancelled, ""},
		{"memory", func(l Life, _ *stubWorker) {
			l.Fail(&wire.Error{Code: "worker_memory", Sentence: "Too much."}, "")
		}, StateFailed, problem.WorkerMemory},
		{"worker lost", func(_ Life, w *stubWorker) { w.handler.Gone(&pool.GoneError{Reason: pool.ReasonExited}) }, StateFailed, problem.WorkerLost},
		{"damaged", func(_ Life, w *stubWorker) { w.finish(&wire.Error{Code: "damaged", Sentence: "It breaks off."}) }, StateFailed, problem.Damaged},
		{"disk full", func(_ Life, w *stubWorker) { w.finish(&wire.Error{Code: "disk_full", Sentence: "No room."}) }, StateFailed, problem.DiskFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				defer b.stop()
				a := b.add("a.mkv")
				synctest.Wait()
				b.mu.Lock()
				life := b.attempts[a].life
				b.mu.Unlock()
				c.end(life, b.starter.last())
				b.are(map[string]State{a: c.want})
				job, _ := b.Get(a)
				if c.code != "" && (job.Failure == nil || job.Failure.Code != c.code || job.Failure.Detail == "") {
					t.Errorf("%+v", job.Failure)
				}
				if !b.starter.last().closed {
					t.Error("the worker is not closed")
				}
				clean(t, b.folder, "a.mkv")
			})
		})
	}
}

// TestDrain puts what is under way back, and begins nothing more.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a, next := b.add("a.mkv"), b.add("b.mkv")
		synctest.Wait()
		b.Drain()
		b.are(map[string]State{a: StateQueued, next: StateQueued})
		clean(t, b.folder, "a.mkv", "b.mkv")
		_, err := b.Add(t.Context(), Order{Source: "films/a.mkv", Name: "other.mkv"})
		refused(t, err, problem.ShuttingDown)
	})
}

// TestSessionsDrain does not try again and again while sessions take none.
func TestSessionsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.host.draining = true
		a := b.add("a.mkv")
		<-time.After(time.Minute)
		b.are(map[string]State{a: StateQueued})
	})
}

// TestHeights passes over films of other heights.
func TestHeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		tall := b.add("tall.mkv", func(o *Order) { o.MaxHeight = 300 })
		low := b.add("low.mkv", func(o *Order) { o.MinHeight = 361 })
		fits := b.add("fits.mkv", func(o *Order) { o.MinHeight, o.MaxHeight = 360, 360 })
		b.are(map[string]State{tall: StateDone, low: StateDone, fits: StateRunning})
		for _, id := range []string{tall, low} {
			if job, _ := b.Get(id); job.Skipped != "height" {
				t.Errorf("%+v", job)
			}
		}
	})
}

// TestKeep forgets the oldest of the jobs that are over.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Keep = 2 })
		defer b.stop()
		var ids []string
		for _, name := range []string{"1.mkv", "2.mkv", "3.mkv"} {
			ids = append(ids, b.add(name))
			synctest.Wait()
			b.starter.last().finish(nil)
			synctest.Wait()
		}
		_, err := b.Get(ids[0])
		refused(t, err, problem.JobUnknown)
		b.are(map[string]State{ids[1]: StateDone, ids[2]: StateDone})
		all, err := b.store.load()
		if err != nil || len(all.jobs) != 2 {
			t.Errorf("%d stored, %v", len(all.jobs), err)
		}
	})
}

package jobs

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// TestRootIsAway starts the queue while a root is not mounted, which is an empty folder
// or none: its jobs wait for as long as that takes, and those of other roots go on.
func TestRootIsAway(t *testing.T) {
	for name, unmount := range map[string]func(folder string) error{
		"empty": func(folder string) error { return os.Mkdir(folder, 0o755) },
		"gone":  func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, retries(1))
				defer func() { b.stop() }()
				must(t, os.WriteFile(filepath.Join(b.other, "b.mkv"), []byte("film"), 0o600))
				first, second := b.add("a.mkv"), b.add("c.mkv")
				synctest.Wait()
				b.restart(func(*Record) {
					aside := b.folder + ".aside"
					if _, err := os.Stat(aside); err != nil { // once
						must(t, os.Rename(b.folder, aside))
						must(t, unmount(b.folder))
					}
				})
				b.starter.opens(b.o.Sources)
				b.are(map[string]State{first: StateQueued, second: StateQueued})
				added, err := b.Add(t.Context(), Order{Source: "made/b.mkv"})
				if err != nil {
					t.Fatal(err)
				}
				b.are(map[string]State{added.Jobs[0].ID: StateRunning, first: StateQueued, second: StateQueued})
				b.starter.last().finish(nil)
				<-time.After(24 * time.Hour)
				b.are(map[string]State{added.Jobs[0].ID: StateDone, first: StateQueued, second: StateQueued})
				if job, _ := b.Get(second); job.Waiting != WaitingSource || job.Failures != 0 || job.Failure != nil {
					t.Errorf("waiting for %q after %d failures, %+v", job.Waiting, job.Failures, job.Failure)
				}
				must(t, os.RemoveAll(b.folder))
				must(t, os.Rename(b.folder+".aside", b.folder))
				<-time.After(lookEvery + time.Second)
				b.are(map[string]State{first: StateRunning})
				b.starter.last().finish(nil)
				b.are(map[string]State{first: StateDone, second: StateRunning})
			})
		})
	}
}

// TestFilmIsAway tries a film again that was there when it was ordered, and is not
// where it was: its folder may be away.
func TestFilmIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(2))
		defer b.stop()
		b.starter.opens(b.o.Sources)
		b.host.play(1)
		synctest.Wait()
		a := b.add("a.mkv")
		b.add("kept.mkv", func(o *Order) { o.Paused = true })
		path := filepath.Join(b.folder, "a.mkv")
		must(t, os.Rename(path, path+".aside"))
		b.host.play(0)
		b.rests(a, 1, firstAgain)
		must(t, os.Rename(path+".aside", path))
		<-time.After(2*firstAgain + lookEvery)
		b.are(map[string]State{a: StateRunning})
		must(t, os.Remove(path))
		b.lost()
		b.are(map[string]State{a: StateFailed})
		if job, _ := b.Get(a); job.Failure.Code != problem.WorkerLost {
			t.Errorf("%+v", job.Failure)
		}
	})
}

// TestRootGoesWhileJobsRun takes a root away under a job that runs: it goes on, and says
// so; one that has not begun waits.
func TestRootGoesWhileJobsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Concurrency = 2 })
		defer b.stop()
		runs, waits := b.add("a.mkv"), b.add("b.mkv", func(o *Order) { o.Paused = true })
		synctest.Wait()
		aside := b.folder + ".aside"
		must(t, os.Rename(b.folder, aside))
		no := false
		_, err := b.Change(waits, Change{Paused: &no})
		must(t, err)
		b.are(map[string]State{runs: StateRunning, waits: StateQueued})
		for id, want := range map[string]Waiting{runs: "", waits: WaitingSource} {
			if job, _ := b.Get(id); job.Waiting != want {
				t.Errorf("%s waits for %q, want %q", job.Source, job.Waiting, want)
			}
		}
		b.starter.last().finish(nil)
		b.are(map[string]State{runs: StateDone, waits: StateQueued})
		clean(t, aside, "a.mkv", "a.upscaled.mkv", "b.mkv")
	})
}

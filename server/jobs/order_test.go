package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

// TestFolder orders a folder with names of all kinds, links in it and out of it, and
// what was made before.
func TestFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		outside := t.TempDir()
		must(t, os.WriteFile(filepath.Join(outside, "secret.mkv"), []byte("film"), 0o600))
		for _, name := range []string{
			"a b.mkv", "ümläut ☃.MP4", "-dash.mkv", "quote'\"`$(x);&.mkv", "two.dots.in.it.avi", "same.mkv", "same.mp4", "sub/deep/c.mkv",
			"notes.txt", "made.mkv", "made.upscaled.mkv", ".hidden.mkv", ".folder/d.mkv", "line\nbreak.mkv", "latin\xe9.mkv", strings.Repeat("n", 250) + ".mkv",
		} {
			path := filepath.Join(b.folder, name)
			must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("film"), 0o600)))
		}
		must(t, os.Symlink(filepath.Join(outside, "secret.mkv"), filepath.Join(b.folder, "link.mkv")))
		must(t, os.Symlink(outside, filepath.Join(b.folder, "linked")))
		must(t, os.Symlink("a b.mkv", filepath.Join(b.folder, "inside.mkv")))
		paused := Order{Source: "films", Paused: true}
		added, err := b.Add(t.Context(), paused)
		if err != nil {
			t.Fatal(err)
		}
		var outputs, passed []string
		for _, j := range added.Jobs {
			outputs = append(outputs, j.Output)
			if j.Order != added.Order || j.State != StatePaused {
				t.Errorf("%+v", j)
			}
		}
		for _, p := range added.Skipped {
			passed = append(passed, p.Reason+" "+p.Source)
		}
		slices.Sort(outputs)
		slices.Sort(passed)
		wantOutputs := []string{
			"films/-dash.upscaled.mkv", "films/a b.upscaled.mkv", "films/quote'\"`$(x);&.upscaled.mkv", "films/same.upscaled.mkv",
			"films/sub/deep/c.upscaled.mkv", "films/two.dots.in.it.upscaled.mkv", "films/ümläut ☃.upscaled.mkv",
		}
		wantPassed := []string{
			"name films/" + strings.Repeat("n", 250) + ".mkv", "name latin\uFFFD.mkv", "name line\uFFFDbreak.mkv",
			"ordered films/same.mp4", "output_exists films/made.mkv",
		}
		if !slices.Equal(outputs, wantOutputs) || !slices.Equal(passed, wantPassed) {
			t.Errorf("got %q\n%q", outputs, passed)
		}
		if added.Count != len(wantOutputs) || added.Passed != len(wantPassed) {
			t.Errorf("%d jobs, %d skipped", added.Count, added.Passed)
		}
		again, err := b.Add(t.Context(), paused)
		if err != nil || again.Count != 0 || again.Passed != len(wantOutputs)+len(wantPassed) {
			t.Errorf("again %d jobs, %d skipped, %v", again.Count, again.Passed, err)
		}
	})
}

// TestFolderElsewhere keeps the folders below that of the order.
func TestFolderElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		must(t, os.MkdirAll(filepath.Join(b.folder, "in", "sub"), 0o755))
		for _, name := range []string{"in/A.mkv", "in/sub/b.mkv", "in/sub/c.mp4"} {
			must(t, os.WriteFile(filepath.Join(b.folder, name), []byte("film"), 0o600))
		}
		added, err := b.Add(t.Context(), Order{Source: "films/in", Output: "films/out/new", Match: "*.MKV", Container: "mp4"})
		if err != nil || added.Count != 2 || added.Jobs[0].Output != "films/out/new/A.upscaled.mp4" || added.Jobs[1].Output != "films/out/new/sub/b.upscaled.mp4" {
			t.Fatalf("%+v, %v", added, err)
		}
		for _, j := range added.Jobs {
			synctest.Wait()
			b.starter.last().finish(nil)
			b.are(map[string]State{j.ID: StateDone})
		}
		clean(t, filepath.Join(b.folder, "out"), "new/A.upscaled.mp4", "new/sub/b.upscaled.mp4")
	})
}

// TestFaultyOrders are refused whole, and store nothing.
func TestFaultyOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts, err := source.NewHosts([]string{"media.example"})
		must(t, err)
		b := newBench(t, func(o *Options) { o.Max, o.Hosts, o.Roots = 2, hosts, []string{"films"} })
		defer b.stop()
		outside := t.TempDir()
		must(t, os.WriteFile(filepath.Join(outside, "x.mkv"), []byte("film"), 0o600))
		must(t, os.Symlink(outside, filepath.Join(b.folder, "out")))
		must(t, os.Symlink(filepath.Join(outside, "x.mkv"), filepath.Join(b.folder, "link.mkv")))
		for i := range 3 {
			must(t, os.MkdirAll(filepath.Join(b.folder, "many"), 0o755))
			must(t, os.WriteFile(filepath.Join(b.folder, "many", fmt.Sprintf("%d.mkv", i)), []byte("film"), 0o600))
		}
		must(t, os.WriteFile(filepath.Join(b.folder, "a.mkv"), []byte("film"), 0o600))
		for name, c := range map[string]struct {
			order Order
			code  problem.Code
		}{
			"no file":          {Order{Source: "films/none.mkv"}, problem.SourceNotFound},
			"no root":          {Order{Source: "other/a.mkv"}, problem.SourceRefused},
			"no root's folder": {Order{Source: "other"}, problem.SourceRefused},
			"up":               {Order{Source: "films/../a.mkv"}, problem.SourceRefused},
			"absolute":         {Order{Source: "/etc/passwd"}, problem.SourceRefused},
			"link out":         {Order{Source: "films/link.mkv"}, problem.SourceRefused},
			"folder out":       {Order{Source: "films/out"}, problem.SourceRefused},
			"output out":       {Order{Source: "films/a.mkv", Output: "films/out"}, problem.OutputRefused},
			"output up":        {Order{Source: "films/a.mkv", Output: "films/../x"}, problem.OutputRefused},
			"output's root":    {Order{Source: "films/a.mkv", Output: "elsewhere/x"}, problem.OutputRefused},
			"name with path":   {Order{Source: "films/a.mkv", Name: "../x.mkv"}, problem.BadRequest},
			"hidden name":      {Order{Source: "films/a.mkv", Name: ".x.mkv"}, problem.BadRequest},
			"name's ending":    {Order{Source: "films/a.mkv", Name: "x.avi"}, problem.BadRequest},
			"name's container": {Order{Source: "films/a.mkv", Name: "x.mp4", Container: "mkv"}, problem.BadRequest},
			"its own source":   {Order{Source: "films/a.mkv", Name: "a.mkv"}, problem.OutputExists},
			"name of a folder": {Order{Source: "films", Name: "x.mkv"}, problem.BadRequest},
			"match of a file":  {Order{Source: "films/a.mkv", Match: "*"}, problem.BadRequest},
			"pattern":          {Order{Source: "films", Match: "[a"}, problem.BadRequest},
			"heights":          {Order{Source: "films", MinHeight: 2, MaxHeight: 1}, problem.BadRequest},
			"model":            {Order{Source: "films/a.mkv", Model: "none"}, problem.ModelUnknown},
			"too many":         {Order{Source: "films/many"}, problem.TooManyJobs},
			"URL of no host":   {Order{Source: "http://elsewhere.example/a.mkv", Output: "films"}, problem.SourceRefused},
			"webhook's host":   {Order{Source: "films/a.mkv", Webhook: &OrderHook{URL: "http://127.0.0.1/x", Secret: "0123456789abcdef"}}, problem.WebhookRefused},
			"webhook's scheme": {Order{Source: "films/a.mkv", Webhook: &OrderHook{URL: "ftp://media.example/x", Secret: "0123456789abcdef"}}, problem.WebhookRefused},
			"webhook's secret": {Order{Source: "films/a.mkv", Webhook: &OrderHook{URL: "https://media.example/x"}}, problem.WebhookRefused},
		} {
			_, err := b.Add(t.Context(), c.order)
			if t.Logf("%s: %v", name, err); err == nil {
				t.Errorf("%s was taken", name)
				continue
			}
			refused(t, err, c.code)
			if strings.Contains(err.Error(), outside) || strings.Contains(err.Error(), b.folder) {
				t.Errorf("%s: a path is told: %v", name, err)
			}
		}
		if counts := b.Counts(); len(counts.States) != 0 {
			t.Errorf("%+v", counts)
		}
	})
}

// TestSkipDone knows by the source and the settings what was made, also where the
// output is gone, and when the source is another one.
func TestSkipDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		skip := func(o *Order) { o.SkipDone = true }
		b.add("a.mkv", skip)
		synctest.Wait()
		b.starter.last().finish(nil)
		synctest.Wait()
		must(t, os.Remove(filepath.Join(b.folder, "a.upscaled.mkv")))
		order := Order{Source: "films/a.mkv", SkipDone: true}
		passed := func(o Order, reason string) {
			t.Helper()
			added, err := b.Add(t.Context(), o)
			got := ""
			if len(added.Skipped) > 0 {
				got = added.Skipped[0].Reason
			}
			if err != nil || got != reason {
				t.Errorf("%+v: %q, want %q; %v", o, got, reason, err)
			}
		}
		passed(order, passedDone)
		passed(Order{Source: "films/a.mkv", SkipDone: true, Paused: true, Height: 480}, "")
		passed(Order{Source: "films/a.mkv", SkipDone: true, Height: 1080}, passedOrdered)
		must(t, os.WriteFile(filepath.Join(b.folder, "a.mkv"), []byte("another film"), 0o600))
		passed(Order{Source: "films/a.mkv", SkipDone: true, Name: "other.mkv"}, "")
	})
}

// TestNothingIsWrittenOver puts a file where an output is to be, at the last moment.
func TestNothingIsWrittenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		output := filepath.Join(b.folder, "a.upscaled.mkv")
		must(t, os.WriteFile(output, []byte("somebody's"), 0o600))
		b.starter.last().finish(nil)
		b.are(map[string]State{a: StateFailed})
		if job, _ := b.Get(a); job.Failure == nil || job.Failure.Code != problem.OutputExists {
			t.Errorf("%+v", job.Failure)
		}
		if data, _ := os.ReadFile(output); string(data) != "somebody's" {
			t.Errorf("%q", data)
		}
		clean(t, b.folder, "a.mkv", "a.upscaled.mkv")
	})
}

// TestFolderIsExchanged makes a link out of the root of the folder in which an output
// is being made: it lands in the folder that it was begun in.
func TestFolderIsExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv", func(o *Order) { o.Output = "films/to" })
		synctest.Wait()
		outside := t.TempDir()
		must(t, os.Rename(filepath.Join(b.folder, "to"), filepath.Join(b.folder, "moved")))
		must(t, os.Symlink(outside, filepath.Join(b.folder, "to")))
		b.starter.last().finish(nil)
		b.are(map[string]State{a: StateDone})
		clean(t, outside)
		clean(t, filepath.Join(b.folder, "moved"), "a.upscaled.mkv")
	})
}

// TestList pages through the jobs.
func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		var ids []string
		for i := range 5 {
			ids = append(ids, b.add(fmt.Sprintf("%d.mkv", i), func(o *Order) { o.Paused = i != 2 }))
		}
		synctest.Wait()
		var got []string
		f := Filter{States: []State{StatePaused}, Limit: 3}
		for {
			list, err := b.List(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range list.Jobs {
				got = append(got, j.ID)
			}
			if !list.More {
				break
			}
			f.After = list.Jobs[len(list.Jobs)-1].ID
		}
		if want := slices.Delete(slices.Clone(ids), 2, 3); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		_, err := b.List(Filter{After: "nobody"})
		refused(t, err, problem.JobUnknown)
	})
}

// TestStoreIsHeld refuses the folder of another server.
func TestStoreIsHeld(t *testing.T) {
	folder := t.TempDir()
	s, err := openStore(folder)
	must(t, err)
	begun := time.Now()
	if _, err := openStore(folder); err == nil || !strings.Contains(err.Error(), "another server's") {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	must(t, s.close())
	if s, err = openStore(folder); err != nil {
		t.Fatal(err)
	}
	must(t, s.close())
}

// TestColourTable keeps the sum of a table in the store, and makes nothing with
// another one of its name.
func TestColourTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables := t.TempDir()
		cube := func(last string) {
			text := "LUT_3D_SIZE 2\n" + strings.Repeat("0 0 0\n", 7) + last + "\n"
			must(t, os.WriteFile(filepath.Join(tables, "film.cube"), []byte(text), 0o600))
		}
		cube("1 1 1")
		b := newBench(t, func(o *Options) {
			luts, err := playback.NewLUTs(tables)
			must(t, err)
			o.Desk.LUTs = luts
		})
		defer b.stop()
		name := "film"
		graded := func(o *Order) { o.Filters = &filters.Overrides{LUT: &name} }
		first, second := b.add("a.mkv", graded), b.add("b.mkv", graded)
		b.are(map[string]State{first: StateRunning, second: StateQueued})
		if got := b.starter.last().prepare.Upscale.Cube; !strings.HasSuffix(string(got), "1 1 1\n") {
			t.Errorf("the worker got %q", got)
		}
		cube("1 1 0.5")
		b.starter.last().finish(nil)
		b.are(map[string]State{first: StateDone, second: StateFailed})
		if job, _ := b.Get(second); job.Failure.Code != problem.LUTUnknown {
			t.Errorf("%+v", job.Failure)
		}
	})
}

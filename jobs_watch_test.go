package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/jobs"
)

// TestWatchAllOfAnOrder orders a folder with more films than the answer to an order
// names, and watches them: each of them is shown.
func TestWatchAllOfAnOrder(t *testing.T) {
	const films = 120
	dir := t.TempDir()
	for i := range films {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.mkv", i)), []byte("film"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := daemon.Start(t.Context(), daemon.Options{
		Folder: filepath.Dir(binary), Films: dir, Cache: filepath.Join(t.TempDir(), "cache"), Set: map[string]string{"jobs.path": filepath.Join(t.TempDir(), "jobs")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Stop() }) // it is of no use any more
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watch := exec.CommandContext(ctx, binary, "jobs", "--server", "http://"+d.Address(), "add", "films", "--paused", "--watch", "--json")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	told := json.NewDecoder(out)
	var added jobs.Added
	if err := told.Decode(&added); err != nil || added.Count != films || len(added.Jobs) == films {
		t.Errorf("%d jobs, of which %d are named, %v", added.Count, len(added.Jobs), err)
	}
	seen := map[string]bool{}
	for len(seen) < films {
		var j jobs.Job
		if err := told.Decode(&j); err != nil {
			t.Errorf("%d jobs are shown, %v", len(seen), err)
			break
		}
		seen[j.Source] = true
	}
	cancel() // none of them ends
	_ = watch.Wait()
}

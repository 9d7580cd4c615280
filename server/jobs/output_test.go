package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

// TestOutputFolderIsRefused has a file lie where the folder of an output is to be made,
// while the job waits: that is no fault of the film.
func TestOutputFolderIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, retries(3))
		defer b.stop()
		b.host.play(1)
		synctest.Wait()
		a := b.add("a.mkv", func(o *Order) { o.Output = "made/to" })
		must(t, os.WriteFile(filepath.Join(b.other, "to"), nil, 0o600))
		b.host.play(0)
		b.are(map[string]State{a: StateFailed})
		if job, _ := b.Get(a); job.Failure == nil || job.Failure.Code != problem.OutputRefused {
			t.Errorf("%+v", job.Failure)
		}
	})
}

// TestFolderErrors tells trouble with the folder of an output by its code.
func TestFolderErrors(t *testing.T) {
	task := Task{Folder: "made/to", Name: "a.mkv"}
	for _, c := range []struct {
		code  source.Code
		cause error
		want  problem.Code
	}{
		{source.CodeUnreadable, syscall.ENOSPC, problem.DiskFull},
		{source.CodeUnreadable, syscall.EDQUOT, problem.DiskFull},
		{source.CodeUnreadable, syscall.EROFS, problem.OutputRefused},
		{source.CodeUnreadable, syscall.EACCES, problem.OutputRefused},
		{source.CodeUnreadable, syscall.EIO, problem.OutputRefused},
		{source.CodeNotFound, syscall.ENOTDIR, problem.OutputRefused},
		{source.CodeRefused, nil, problem.OutputRefused}, // there is no such root
	} {
		t.Run(fmt.Sprint(c.cause), func(t *testing.T) {
			refused(t, task.refused(&source.Error{Code: c.code, Sentence: "Said.", Cause: c.cause}), c.want)
		})
	}
}

// TestFolderWithOneBadOutput orders a folder, of which one film's output has no place
// to lie in: that is passed over, and alone it is refused.
func TestFolderWithOneBadOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		for _, name := range []string{"in/a.mkv", "in/sub/b.mkv", "in/z.mkv"} {
			path := filepath.Join(b.folder, name)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			must(t, os.WriteFile(path, []byte("film"), 0o600))
		}
		must(t, os.Symlink("sub", filepath.Join(b.other, "sub"))) // which leads to itself
		added, err := b.Add(t.Context(), Order{Source: "films/in", Output: "made", Paused: true})
		if err != nil || added.Count != 2 || added.Passed != 1 || added.Skipped[0] != (PassedBy{"films/in/sub/b.mkv", passedOutput}) {
			t.Errorf("%d jobs, skipped %+v, %v", added.Count, added.Skipped, err)
		}
		for _, source := range []string{"films/in/sub/b.mkv", "films/in"} {
			_, err = b.Add(t.Context(), Order{Source: source, Output: "made/sub"})
			refused(t, err, problem.OutputRefused)
		}
	})
}

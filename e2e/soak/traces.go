package soak

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
)

// Traces are what a server holds.
type Traces struct {
	RSS         int64 // bytes
	Heap        float64
	Descriptors float64
	Goroutines  float64
}

// What a server may hold more after the second round than after the first. The
// heap is what Go's collector has not freed yet, which it lets grow to twice what
// is live; connections that are kept open come and go.
const (
	moreHeap        = 24 << 20
	moreRSS         = 32 << 20
	moreDescriptors = 8
	moreGoroutines  = 16
)

// String tells them.
func (t Traces) String() string {
	return fmt.Sprintf("%d MiB resident, %.0f MiB of heap, %.0f descriptors, %.0f goroutines", t.RSS>>20, t.Heap/(1<<20), t.Descriptors, t.Goroutines)
}

// grew returns what later has too much of.
func (t Traces) grew(later Traces) error {
	var errs []error
	for _, c := range []struct {
		what               string
		before, after, may float64
	}{
		{"bytes resident", float64(t.RSS), float64(later.RSS), moreRSS},
		{"bytes of heap", t.Heap, later.Heap, moreHeap},
		{"descriptors", t.Descriptors, later.Descriptors, moreDescriptors},
		{"goroutines", t.Goroutines, later.Goroutines, moreGoroutines},
	} {
		if c.after > c.before+c.may {
			errs = append(errs, fmt.Errorf("%.0f %s, and before %.0f", c.after, c.what, c.before))
		}
	}
	return errors.Join(errs...)
}

// traces returns what the server holds now.
func (s *soak) traces(ctx context.Context) (t Traces, err error) {
	var errs [4]error
	t.RSS, errs[0] = s.d.Process.RSS()
	t.Descriptors, errs[1] = s.d.Metric(ctx, "process_open_fds") // its /proc/PID/fd is for nobody else
	t.Goroutines, errs[2] = s.d.Metric(ctx, "go_goroutines")
	t.Heap, errs[3] = s.d.Metric(ctx, "go_memstats_heap_alloc_bytes")
	return t, errors.Join(errs[:]...)
}

// settle waits until no session is left and the spare worker is there and alone,
// and returns what the server holds then. Nothing else may be left.
func (s *soak) settle(ctx context.Context) (Traces, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, leaving, errors.New("it does not come to rest"))
	defer cancel()
	var why error
	for calm := 0; calm < 10; calm++ {
		if why = s.unrest(ctx); why != nil {
			calm = 0
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return Traces{}, errors.Join(context.Cause(ctx), why)
		}
	}
	t, err := s.traces(ctx)
	return t, errors.Join(err, s.empty())
}

// unrest returns what still goes on, nil for nothing.
func (s *soak) unrest(ctx context.Context) error {
	live, err := s.watch(ctx)
	if err != nil {
		return err
	}
	h, err := s.d.Hardware(ctx)
	if err != nil {
		return err
	}
	children, err := s.d.Process.Children()
	w := h.Workers
	if err != nil || live > 0 || w.Running > 0 || w.Starting > 0 || w.Spare != s.d.Spare || len(children) != w.Spare || len(h.Costs) == 0 {
		return errors.Join(err, fmt.Errorf("%d sessions, workers %+v, %d processes, %d costs", live, w, len(children), len(h.Costs)))
	}
	return nil
}

// empty returns an error where files of sessions that were are left.
func (s *soak) empty() error {
	var errs []error
	for _, folder := range []string{s.cache(), s.temporary()} {
		err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || e.Name() == cacheLock {
				return err
			}
			return fmt.Errorf("%s is left", path)
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// cacheLock is the file by which a server holds its cache's folder.
const cacheLock = ".upscaled-cache"

// orphans returns an error for each process that the server's end left: the
// workers, and only they, have the folder of temporary files in their environment.
func (s *soak) orphans() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		environment, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && strings.Contains(string(environment), "TMPDIR="+s.temporary()) && daemon.Process(pid).Lives() {
			errs = append(errs, fmt.Errorf("process %d outlived the server", pid))
		}
	}
	return errors.Join(append(errs, s.empty())...)
}

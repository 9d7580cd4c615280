package jobs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

// awayError says that a root is not there now, as a disk that is not mounted yet.
type awayError struct{ root string }

func (e *awayError) Error() string { return fmt.Sprintf("the root %q is not there", e.root) }

// present returns an awayError where a root of a job is away. It reads from disks that
// may hang, so that mu is not held.
func (q *Queue) present(r *Record) error {
	for i, root := range r.Task.roots() {
		away := q.missing(root, i == 0 && r.Source != Identity{})
		q.mu.Lock()
		_, known := q.away[root]
		if delete(q.away, root); away {
			q.away[root] = time.Now()
		}
		if away != known {
			q.hub.changed(r.ID, false) // it waits for something else now
		}
		q.mu.Unlock()
		if away {
			return &awayError{root}
		}
	}
	return nil
}

// missing reports whether a root's folder cannot be opened, or, where a film was in it,
// has nothing in it any more: so looks the place of a disk that is not mounted.
func (q *Queue) missing(root string, had bool) bool {
	folder, err := q.o.Sources.Folder(root, false)
	if err != nil {
		return source.CodeOf(err) == source.CodeUnreadable // and not that the root was taken out of the configuration
	}
	defer func() { _ = folder.Close() }() // only looked into
	dir, err := folder.Open(".")
	if err != nil || !had {
		return false
	}
	defer func() { _ = dir.Close() }() // likewise
	names, _ := dir.Readdirnames(1)
	return len(names) == 0
}

// roots returns the roots of a task's source and of its output, one where they are the
// same. A URL has none.
func (t *Task) roots() []string {
	of, _, _ := strings.Cut(t.Source, "/")
	to, _, _ := strings.Cut(t.Folder, "/")
	if isURL(t.Source) {
		of = to
	}
	return slices.Compact([]string{of, to})
}

// awaits reports whether a root of a job is away, and whether it is time to look again.
// The caller holds mu.
func (q *Queue) awaits(r *Record) (away, due bool) {
	due = true
	if len(q.away) == 0 {
		return false, due
	}
	for _, root := range r.Task.roots() {
		if seen, known := q.away[root]; known {
			away, due = true, due && time.Since(seen) > lookEvery/2 // all of which may be a little more than a tick
		}
	}
	return away, due
}

// misses reports whether a code may mean that a film is away which was there when it was
// ordered.
func (r *Record) misses(code problem.Code) bool {
	return r.Source != Identity{} && (code == problem.SourceNotFound || code == problem.SourceUnreadable)
}

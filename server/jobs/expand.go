package jobs

import (
	"context"
	"path"
	"strings"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

const (
	// maxWalked bounds the files of a folder that are looked at for one order.
	maxWalked = 200_000
	// told is how many jobs, and films that are passed over, an answer names.
	told = 100
	// maxFileName is NAME_MAX of the usual file systems, in bytes.
	maxFileName = 255
)

// plan is what an order comes to.
type plan struct {
	tasks   []Task
	sources []Identity // of each task's source; zero for a URL
	outputs map[string]bool
	skipped []PassedBy
	passed  int
}

func (p *plan) pass(film, reason string) {
	if p.passed++; len(p.skipped) < told {
		p.skipped = append(p.skipped, PassedBy{film, reason})
	}
}

// expand makes the tasks of an order out of what they have in common. At most room
// of them are made: one more is an error.
func (q *Queue) expand(ctx context.Context, o Order, common Task, room int) (p plan, err error) {
	if strings.Contains(o.Source, "://") {
		return p, q.expandURL(o, common, &p)
	}
	file, folder, err := q.o.Sources.Stat(o.Source)
	if err != nil {
		return p, err
	}
	if err := o.check(folder); err != nil {
		return p, err
	}
	if !folder {
		return p, q.expandFile(o, common, file, path.Dir(o.Source), &p)
	}
	if o.Output != "" { // in which no film could be made; folders below it are each film's
		if _, err := q.there(&Task{Folder: strings.TrimSuffix(o.Output, "/")}); err != nil {
			return p, err
		}
	}
	walked := 0
	err = q.o.Sources.Walk(ctx, o.Source, func(f source.File) error {
		if walked++; walked > maxWalked {
			return problem.New(problem.TooManyJobs, "the folder has more than %d files; order the folders in it", maxWalked)
		}
		if !o.takes(f.Name) {
			return nil
		}
		if len(p.tasks) > room {
			return tooMany(q.o.Max)
		}
		below := strings.TrimPrefix(path.Dir(f.Name), strings.TrimSuffix(o.Source, "/"))
		return q.expandFile(o, common, f, below, &p)
	}, func(quoted string) { p.pass(quoted, passedName) })
	return p, err
}

func tooMany(limit int) error {
	return problem.New(problem.TooManyJobs, "at most %d jobs may wait; jobs.max is the bound", limit)
}

// expandURL is of a film on a web server, which has no folder beside it.
func (q *Queue) expandURL(o Order, common Task, p *plan) error {
	if err := o.check(false); err != nil {
		return err
	}
	u, err := q.o.Sources.CheckURL(o.Source)
	if err != nil {
		return err
	}
	if o.Output == "" {
		return faulty("output", "must name a folder: nothing lies beside a URL")
	}
	base := path.Base(u.Path)
	if o.Name == "" && (base == "." || base == "/") {
		return faulty("name", "must be given: the URL names no file")
	}
	common.Source, common.Folder, common.Name = o.Source, o.Output, o.Name
	if o.Name == "" {
		common.Name = outputName(plain(base), common.Output.Container)
	}
	return q.consider(o, common, Identity{}, true, p)
}

// plain makes the end of a URL's path the name of a file that is not hidden.
func plain(base string) string {
	name := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\uFFFD' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(base, "_")), ".")
	if name == "" {
		return "film"
	}
	return name
}

// expandFile is of one file; below is its folder in that of the order, which the
// output's is made like.
func (q *Queue) expandFile(o Order, common Task, f source.File, below string, p *plan) error {
	folder, base, _ := source.Split(f.Name) // it was found by it
	single := o.Source == f.Name
	common.Source, common.Folder, common.Name = f.Name, folder, o.Name
	if o.Name == "" {
		common.Name = outputName(base, common.Output.Container)
	}
	if o.Output != "" {
		common.Folder = strings.TrimSuffix(o.Output, "/")
		if !single {
			common.Folder = path.Join(common.Folder, below)
		}
	}
	return q.consider(o, common, Identity{f.Size, f.Modified}, single, p)
}

// consider adds a task to a plan, unless it would make what is made. A single film
// is refused for that when the order does not say to pass over it.
func (q *Queue) consider(o Order, t Task, is Identity, single bool, p *plan) error {
	if err := q.mayWrite(t.Folder); err != nil {
		return err
	}
	reason, err := q.needless(o, &t, is)
	if err == nil && reason == "" {
		reason, err = q.taken(&t, single)
	}
	if len(t.Name) > maxFileName {
		reason = passedName
	} else if p.outputs[t.path()] { // a.mkv and a.mp4
		reason = passedOrdered
	}
	switch {
	case err != nil:
		return err
	case reason == "":
		if p.outputs == nil {
			p.outputs = map[string]bool{}
		}
		p.outputs[t.path()] = true
		p.tasks, p.sources = append(p.tasks, t), append(p.sources, is)
		return nil
	case single && reason == passedName:
		return faulty("name", "must be given: that of the output would be too long")
	case single && !o.SkipDone && reason == passedOrdered:
		return problem.New(problem.OutputExists, "a job that is not over makes %q", t.path())
	case single && !o.SkipDone:
		return problem.New(problem.OutputExists, "%q is there already, and is not written over; choose another output, or move it away", t.path())
	}
	p.pass(source.Name(t.Source), reason)
	return nil
}

// needless returns why a task need not be done; "" where it has to be.
func (q *Queue) needless(o Order, t *Task, is Identity) (string, error) {
	if o.SkipDone {
		f, found, err := q.store.done(t.work())
		if err != nil {
			return "", err
		}
		if found && (f.Source.same(is) || is == Identity{}) {
			return passedDone, nil
		}
	}
	if q.ordered(t.path()) {
		return passedOrdered, nil
	}
	return "", nil
}

// taken returns why nothing can be made under the name of a task's output; "" where
// it can. Of a single film trouble with its folder is an error, of one among many it
// is a reason.
func (q *Queue) taken(t *Task, single bool) (string, error) {
	there, err := q.there(t)
	switch {
	case there:
		return passedThere, nil
	case err != nil && !single:
		return passedOutput, nil
	}
	return "", err
}

// there reports whether something has the name of a task's output. Errors are those of
// its folder.
func (q *Queue) there(t *Task) (bool, error) {
	folder, err := q.o.Sources.Folder(t.Folder, false)
	if source.CodeOf(err) == source.CodeNotFound {
		return false, nil // it will be made
	}
	if err != nil {
		return false, t.refused(err)
	}
	defer func() { _ = folder.Close() }() // only looked into
	_, err = folder.Lstat(t.Name)
	return err == nil, nil
}

// mayWrite refuses a folder under a root that jobs may not write to.
func (q *Queue) mayWrite(folder string) error {
	root, _, _ := strings.Cut(folder, "/")
	if len(q.o.Roots) == 0 || q.writable[root] {
		return nil
	}
	return problem.New(problem.OutputRefused, "jobs may not write to the root %.40q; there is %s", root, strings.Join(q.o.Roots, ", "))
}

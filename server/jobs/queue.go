package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Options are what a Queue works with.
type Options struct {
	Path    string // folder of the store
	Sources *source.Opener
	Desk    *playback.Desk // of the defaults, models and looks of orders
	Starter Starter
	Host    Host

	Concurrency int  // jobs at once, 1 or more
	Yield       bool // nothing is made while sessions play, whatever room there is
	// Booking is the most that a job books of the machine where jobs do not yield: it
	// may take longer than its film, so that it fits wherever that is free.
	Booking wire.Cost
	Retries int      // of a job that failed by what may pass by itself
	Max     int      // jobs that may be there and not over, 1 or more
	Keep    int      // jobs that are over and remembered, the newest
	Roots   []string // that outputs may lie in; none: all

	Hosts  source.Hosts // that webhooks may lead to
	Secret auth.Secret  // that signs messages
	Trust  *tls.Config  // of their receivers; nil: the system's

	Log *slog.Logger // nil: none

	// step is called at each point at which a kill leaves something else behind; nil
	// but in tests.
	step func(name string)
}

// Queue has all jobs. Make it with New and Run it.
//
// Lock order: mu, then the hub's. The store is written with mu held, so that what is
// told comes in the order in which it became durable; of sessions and workers only
// what does not wait is called with it held.
type Queue struct {
	o         Options
	store     *store
	hub       hub
	writable  map[string]bool
	transport http.RoundTripper // of messages
	wake      chan struct{}     // has one when the scheduler is to look again
	post      chan struct{}     // likewise the deliverer
	drained   chan struct{}     // closed by Drain

	mu       sync.Mutex
	jobs     map[string]*Record   // guarded by mu, as all that follows
	order    []*Record            // by number
	outputs  map[string]string    // of jobs that are not over: path → id
	attempts map[string]*attempt  // by job
	last     []*attempt           // that only end a job, and are not begun
	messages map[string]message   // that wait to be delivered, by job
	others   Others               // that jobs give way to
	blocked  Waiting              // why none can begin, "" when one may
	away     map[string]time.Time // roots that are not there, by when that was seen
	freed    <-chan struct{}      // closed when there may be room again; nil while not blocked
	stopping bool                 // no attempt begins any more
	endings  map[string]*ending   // that clients wait for, by job
	made     time.Duration        // film, since the server began
}

// New opens the store, which it takes hold of, and puts in order what an end without
// warning has left: what has been under way is queued again, files that were half made
// are removed, and one that was whole gets its name.
func New(o Options) (*Queue, error) {
	switch {
	case o.Sources == nil || o.Desk == nil || o.Starter == nil || o.Host == nil:
		return nil, errors.New("jobs: sources, desk, starter and host are needed")
	case o.Concurrency < 1 || o.Max < 1 || min(o.Keep, o.Retries) < 0:
		return nil, fmt.Errorf("jobs: %d at once of %d, %d kept, %d retries", o.Concurrency, o.Max, o.Keep, o.Retries)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	s, err := openStore(o.Path)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		o: o, store: s, writable: map[string]bool{}, wake: make(chan struct{}, 1), post: make(chan struct{}, 1), drained: make(chan struct{}),
		jobs: map[string]*Record{}, outputs: map[string]string{}, attempts: map[string]*attempt{}, messages: map[string]message{},
		endings: map[string]*ending{}, away: map[string]time.Time{}, transport: o.Hosts.Transport(hookWait, o.Trust),
	}
	for _, root := range o.Roots {
		q.writable[root] = true
	}
	if err := q.recover(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return q, nil
}

// Close lets go of the store of a Queue that is not run.
func (q *Queue) Close() error { return q.store.close() }

// Run does the jobs until ctx ends, puts those under way back into the queue, and
// closes the store. It may be called once.
func (q *Queue) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		err := q.o.Host.Watch(ctx, q.takeOthers)
		if ctx.Err() == nil {
			q.o.Log.Error("jobs cannot see the sessions", "error", err)
		}
	})
	all.Go(func() { q.deliver(ctx) })
	q.schedule(ctx, &all)
	cancel()
	all.Wait()
	return q.store.close()
}

// Drain ends what is under way and begins nothing any more; the jobs are queued for
// the next start.
func (q *Queue) Drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.stopping {
		q.stopping = true
		close(q.drained)
	}
	for _, a := range q.attempts {
		a.cancel(errStopping)
	}
}

// Get tells of a job. The error is problem.JobUnknown.
func (q *Queue) Get(id string) (Job, error) {
	if job, known := q.look(id); known {
		return job, nil
	}
	return Job{}, problem.New(problem.JobUnknown, "")
}

// look tells of a job, if it is there.
func (q *Queue) look(id string) (Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.jobs[id]
	if r == nil {
		return Job{}, false
	}
	return q.tell(r), true
}

// Filter says which jobs a list has.
type Filter struct {
	States []State // none: all
	Order  string  // "": of all orders
	After  string  // id of the job that the list begins behind; "": the first
	Limit  int     // at most; 0: all
}

// List is a part of the jobs.
type List struct {
	Jobs []Job `json:"jobs"`
	More bool  `json:"more" doc:"Whether there are more behind the last; ask for those after its id."`
}

// List tells of jobs in the order in which they were added. The error is
// problem.JobUnknown, of Filter.After.
func (q *Queue) List(f Filter) (List, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from, list := 0, List{Jobs: []Job{}}
	if f.After != "" {
		r := q.jobs[f.After]
		if r == nil {
			return list, problem.New(problem.JobUnknown, "")
		}
		from, _ = slices.BinarySearchFunc(q.order, r.Number+1, byNumber)
	}
	for _, r := range q.order[from:] {
		if len(f.States) > 0 && !slices.Contains(f.States, r.State) || f.Order != "" && f.Order != r.Order {
			continue
		}
		if f.Limit > 0 && len(list.Jobs) == f.Limit {
			list.More = true
			break
		}
		list.Jobs = append(list.Jobs, q.tell(r))
	}
	return list, nil
}

func byNumber(r *Record, number uint64) int {
	switch {
	case r.Number < number:
		return -1
	case r.Number > number:
		return 1
	}
	return 0
}

// Counts are figures of a queue.
type Counts struct {
	States  map[State]int // of the jobs that are there
	Pending int           // messages that wait to be delivered
	Film    time.Duration // made since the server began, also by jobs that did not end well
}

// Counts returns the figures.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := Counts{States: map[State]int{}, Pending: len(q.messages), Film: q.made}
	for _, r := range q.order {
		c.States[r.State]++
	}
	for _, a := range q.attempts {
		c.Film += a.meter.written.Position
	}
	return c
}

// tell returns what a client is told of a record. The caller holds mu.
func (q *Queue) tell(r *Record) Job {
	told := of(r)
	if !r.State.Over() {
		told.Waiting = q.waiting(r)
	}
	if a := q.attempts[r.ID]; a != nil && !r.State.Over() {
		told.Session = a.session
		if a.worker != nil {
			p := progressOf(a.meter.written, filmLength(r), a.meter.elapsed(time.Now()))
			told.Progress = &p
		}
	}
	return told
}

// lookAgain wakes the scheduler.
func (q *Queue) lookAgain() { signal(q.wake) }

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default: // it will look anyway
	}
}

// ordered reports whether a job that is not over makes an output.
func (q *Queue) ordered(path string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.outputs[path] != ""
}

// put makes records what they are from now on, after they were written. The caller
// holds mu.
func (q *Queue) put(records ...*Record) {
	for _, r := range records {
		if at, found := slices.BinarySearchFunc(q.order, r.Number, byNumber); found {
			q.order[at] = r
		} else {
			q.order = slices.Insert(q.order, at, r)
		}
		q.jobs[r.ID] = r
		if !r.State.Over() {
			q.outputs[r.Task.path()] = r.ID
		} else if q.outputs[r.Task.path()] == r.ID {
			delete(q.outputs, r.Task.path())
		}
		if r.State.Over() {
			q.answer(r.ID, nil)
		}
		q.hub.changed(r.ID, false)
	}
}

// update changes a record: durably at first, then for all to see. The caller holds
// mu. Errors are the store's, after which nothing has changed.
func (q *Queue) update(id string, alter func(*Record, *change)) error {
	r := *q.jobs[id]
	r.Seq++
	c := change{jobs: []*Record{&r}}
	alter(&r, &c)
	if r.State.Over() {
		c.forget = q.surplus()
	}
	if err := q.write(c); err != nil {
		return err
	}
	q.put(&r)
	for _, m := range c.messages {
		q.messages[m.ID] = m
		signal(q.post)
	}
	for _, id := range c.delivered {
		delete(q.messages, id)
	}
	q.drop(c.forget)
	return nil
}

// write is the store's, with its errors as problems.
func (q *Queue) write(c change) error {
	q.o.step("before write")
	err := q.store.write(c)
	q.o.step("after write")
	if err != nil {
		return problem.New(problem.JobsUnwritable, "").Because(err)
	}
	return nil
}

// surplus returns the jobs that are over and too many once one more is. The caller
// holds mu.
func (q *Queue) surplus() (numbers []uint64) {
	over := 1
	for _, r := range slices.Backward(q.order) {
		if !r.State.Over() || q.messages[r.ID].ID != "" {
			continue
		}
		if over++; over > q.o.Keep {
			numbers = append(numbers, r.Number)
		}
	}
	return numbers
}

// drop forgets jobs. The caller holds mu.
func (q *Queue) drop(numbers []uint64) {
	for _, n := range numbers {
		if at, found := slices.BinarySearchFunc(q.order, n, byNumber); found {
			delete(q.jobs, q.order[at].ID)
			q.order = slices.Delete(q.order, at, at+1)
		}
	}
}

// unfinished counts the jobs that are not over. The caller holds mu.
func (q *Queue) unfinished() int { return len(q.outputs) }

// short is a job's id as logs have it beside its source.
func (r *Record) attrs() []any {
	return []any{"job", r.ID, "source", source.Name(r.Task.Source), "output", strings.TrimPrefix(r.Task.path(), "./")}
}

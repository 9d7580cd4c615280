package jobs

import (
	"time"

	"github.com/upscaled-media/upscaled/server/source"
)

// recover reads the store and puts in order what an end without warning has left.
func (q *Queue) recover() error {
	all, err := q.store.load()
	if err != nil {
		return err
	}
	for _, r := range all.jobs {
		r.remember()
	}
	q.put(all.jobs...)
	for _, m := range all.messages {
		if q.jobs[m.ID] != nil { // all but those of a store that somebody has changed
			q.messages[m.ID] = m
		}
	}
	for _, r := range all.jobs {
		if r.State.Over() || r.Attempts == 0 {
			continue
		}
		if err := q.recoverJob(r); err != nil {
			return err
		}
	}
	return nil
}

// recoverJob concludes a job whose output was whole, and queues every other one
// again. What cannot be seen now, since its folder is away, is seen when the job
// begins again.
func (q *Queue) recoverJob(r *Record) error {
	if made, ok := q.rescue(r); ok {
		return q.update(r.ID, func(r *Record, c *change) { q.finish(r, c, made) })
	}
	if r.State == StateRunning || r.State == StatePaused && !r.Held {
		q.o.Log.Info("job is queued again", r.attrs()...)
		return q.update(r.ID, func(r *Record, _ *change) { r.State = StateQueued })
	}
	return nil
}

// rescue looks for what an earlier attempt of a job has left. It reports whether that
// is the whole output, which has its name then, and removes anything less.
func (q *Queue) rescue(r *Record) (Made, bool) {
	folder, err := q.o.Sources.Folder(r.Task.Folder, false)
	if err != nil {
		q.o.Log.Warn("an unfinished file could not be looked for", append(r.attrs(), "error", err)...)
		return Made{}, false
	}
	o := &output{folder: folder, part: r.part(), name: r.Task.Name, path: r.Task.path()}
	defer o.close()
	if r.Whole != nil {
		whole, err := o.published(*r.Whole)
		if whole && err == nil {
			return r.Whole.Made, true
		}
	}
	if err := o.discard(); err != nil {
		q.o.Log.Warn("an unfinished file could not be removed", append(r.attrs(), "error", err)...)
	}
	return Made{}, false
}

// finish makes a record one of a job that is done.
func (q *Queue) finish(r *Record, c *change, made Made) {
	made.Bytes = max(made.Bytes, 0)
	r.Made, r.Whole = &made, nil
	q.conclude(r, c, StateDone)
	if r.Source != (Identity{}) || isURL(r.Task.Source) {
		c.work, c.finished = r.Task.work(), finished{Source: r.Source, Output: r.Task.path(), Ended: r.Ended}
	}
}

func isURL(name string) bool {
	_, _, file := source.Split(name)
	return !file
}

// conclude makes a record one of a job that is over, with the message of that.
func (q *Queue) conclude(r *Record, c *change, state State) {
	r.State, r.Ended, r.Next, r.Whole, r.Held = state, time.Now().UTC(), time.Time{}, nil, false
	if state != StateFailed {
		r.Failure = nil // it was that of an earlier attempt
	}
	if r.Hook == nil {
		return
	}
	r.Delivery = &Delivery{State: DeliveryPending}
	c.messages = append(c.messages, q.messageOf(r))
}

package jobs

// State is where a job is in its life:
//
//	queued ──► running ⇄ paused ──► done | failed | cancelled
//	   ⇅          (a job that waits may be paused, too)
//	paused
//
// A job that was under way when the server ended is queued again.
type State string

// The states.
const (
	StateQueued    State = "queued"
	StateRunning   State = "running"
	StatePaused    State = "paused" // by a client, or while sessions play
	StateDone      State = "done"
	StateFailed    State = "failed"
	StateCancelled State = "cancelled"
)

// States lists the states in the order of a job's life.
func States() []State {
	return []State{StateQueued, StateRunning, StatePaused, StateDone, StateFailed, StateCancelled}
}

// Over reports whether nothing happens to a job any more.
func (s State) Over() bool { return s == StateDone || s == StateFailed || s == StateCancelled }

// Waiting says why nothing is done for a job that is not over.
type Waiting string

// The reasons.
const (
	WaitingClient   Waiting = "client"   // it was paused
	WaitingSessions Waiting = "sessions" // sessions play, and jobs give way
	WaitingRoom     Waiting = "room"     // the machine has no room for it
	WaitingWorker   Waiting = "worker"   // no worker can be started
	WaitingRetry    Waiting = "retry"    // it failed by what may pass, and is tried again
	WaitingSource   Waiting = "source"   // the root of its source or output is not there
	WaitingTurn     Waiting = "turn"     // others come first
)

// The priorities.
const (
	minPriority    = 1
	usualPriority  = 5
	maxPriority    = 10
	hiddenPartName = ".part"
)

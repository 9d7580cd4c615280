package session

// State is where a session is in its life. It moves forward only, but for pauses:
//
//	starting → playing ⇄ paused → ending → ended
type State string

// The states.
const (
	StateStarting State = "starting" // no segment is there yet
	StatePlaying  State = "playing"
	StatePaused   State = "paused" // nothing is read ahead
	StateEnding   State = "ending" // the worker is being ended
	StateEnded    State = "ended"
)

// follows reports whether a session may go from s to next.
func (s State) follows(next State) bool {
	switch next {
	case StatePlaying:
		return s == StateStarting || s == StatePaused
	case StatePaused:
		return s == StatePlaying
	case StateEnding:
		return s != StateEnding && s != StateEnded
	case StateEnded:
		return s == StateEnding
	default:
		return false
	}
}

// over reports whether nothing can be asked of a session any more.
func (s State) over() bool { return s == StateEnding || s == StateEnded }

// Cause says why a session ended.
type Cause string

// The causes.
const (
	CauseEOS      Cause = "eos"      // played to the end of the film
	CauseClient   Cause = "client"   // the client ended it
	CauseIdle     Cause = "idle"     // the client asked for nothing any more
	CauseShutdown Cause = "shutdown" // the server ends
	CauseFailed   Cause = "failed"   // see Snapshot.Failure
)

// States lists the states in the order of a session's life.
func States() []State {
	return []State{StateStarting, StatePlaying, StatePaused, StateEnding, StateEnded}
}

// Causes lists the causes.
func Causes() []Cause {
	return []Cause{CauseEOS, CauseClient, CauseIdle, CauseShutdown, CauseFailed}
}

package session

import "time"

// Hooks are told what happens, for metrics; nil ones are left out. They are called
// with locks held and must neither block nor call back.
type Hooks struct {
	Started      func()
	Ended        func(cause Cause, code string) // code is "" but for CauseFailed
	Refused      func(Reason)
	FirstSegment func(time.Duration) // from Create until the first segment of the picture is made, and sent to who waits for it
	Seek         func(time.Duration) // from a request or Session.Seek until the segment is delivered
	RealTime     func(float64)       // seconds of film made in one second that was worked through
}

// filled returns the hooks with none of them nil.
func (h Hooks) filled() Hooks {
	fill(&h.Started, func() {})
	fill(&h.Ended, func(Cause, string) {})
	fill(&h.Refused, func(Reason) {})
	fill(&h.FirstSegment, func(time.Duration) {})
	fill(&h.Seek, func(time.Duration) {})
	fill(&h.RealTime, func(float64) {})
	return h
}

func fill[F func() | func(Cause, string) | func(Reason) | func(time.Duration) | func(float64)](hook *F, none F) {
	if *hook == nil {
		*hook = none
	}
}

package infer

import (
	"slices"
	"syscall"
)

// timings collects the processor time of runs, in seconds over all cores. It
// is nearly the same on a busy machine as on a quiet one, unlike the time by
// the clock.
type timings []float64

func (t *timings) add(run func()) {
	begin := processorTime()
	run()
	*t = append(*t, processorTime()-begin)
}

func (t timings) median() float64 {
	slices.Sort(t)
	return t[len(t)/2]
}

// processorTime returns the processor time of this process so far.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // fails for wrong arguments only
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

package pool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is what proc(5) counts processor time in: USER_HZ, 100 a second wherever Linux runs.
const tick = 10 * time.Millisecond

var errUsage = errors.New("not understood")

// usage returns what a process takes of the machine, as the kernel tells: the processor time of all its threads since its
// start, and its bytes of memory. A process that has ended and is not reaped has none.
func usage(pid int) (cpu time.Duration, rss int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name in the second field is the process's to choose, with brackets, too; numbers follow the last one.
	const utime, stime, resident = 11, 12, 21 // of the fields after the name
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= resident {
		return 0, 0, fmt.Errorf("stat of process %d: %w", pid, errUsage)
	}
	var n [3]int64
	for i, field := range []int{utime, stime, resident} {
		if n[i], err = strconv.ParseInt(string(fields[field]), 10, 64); err != nil {
			return 0, 0, fmt.Errorf("stat of process %d: %w: %w", pid, errUsage, err)
		}
	}
	return time.Duration(n[0]+n[1]) * tick, n[2] * int64(os.Getpagesize()), nil
}

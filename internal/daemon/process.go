package daemon

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Process is a process as proc(5) shows it.
type Process int

// clockTick is the unit of times in proc_pid_stat(5): USER_HZ, which Linux fixes
// at 100 for what it tells.
const clockTick = 10 * time.Millisecond

// stat returns the fields of /proc/PID/stat from the state on, which is field 3 of
// proc_pid_stat(5). The name before it may hold anything.
func (p Process) stat() ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", int(p)))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 22 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", int(p), len(fields))
	}
	return fields, nil
}

// Lives reports whether the process is there and has not ended.
func (p Process) Lives() bool {
	fields, err := p.stat()
	return err == nil && fields[0] != "Z"
}

// CPU returns what all threads have used so far.
func (p Process) CPU() (time.Duration, error) {
	fields, err := p.stat()
	if err != nil {
		return 0, err
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// RSS returns the bytes that are resident.
func (p Process) RSS() (int64, error) {
	fields, err := p.stat()
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// Children returns the processes that it started and that have not ended.
func (p Process) Children() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var children []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields, err := Process(pid).stat()
		if err == nil && fields[0] != "Z" && fields[1] == strconv.Itoa(int(p)) {
			children = append(children, Process(pid))
		}
	}
	return children, nil
}

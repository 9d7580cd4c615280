package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clocks adds up the processor time of the stages. GStreamer names the thread
// that a queue starts after the queue, and a thread that an element starts
// inherits the name, so the queues' names tell the stage (see plan.go):
// proc(5), /proc/PID/task/TID/comm and stat.
type clocks struct {
	before map[string]time.Duration // used by threads that were there before; GLib and ONNX Runtime keep theirs
	last   map[string]clock         // by thread id
}

type clock struct {
	stage Stage
	used  time.Duration
}

// stageOfThread maps the beginnings of thread names to stages. libav names its
// own threads av:….
var stageOfThread = []struct {
	prefix string
	stage  Stage
}{
	{"decode:", StageDecode},
	{"av:", StageDecode},
	{"upscale:", StageUpscale},
	{"encode:", StageEncode},
	{"write:", StageWrite},
	{"typefind", StageRead},
	{"qtdemux", StageRead},
	{"matroskademux", StageRead},
}

// userHz is the unit of the times in stat: USER_HZ, 100 on every Linux that Go
// runs on.
const userHz = 100

// newClocks counts from now on.
func newClocks() *clocks {
	c := &clocks{before: map[string]time.Duration{}, last: map[string]clock{}}
	eachThread(func(id, _ string, used time.Duration) { c.before[id] = used })
	return c
}

// read takes the times of all threads. A thread that ends between two reads
// loses what it used since the first.
func (c *clocks) read() {
	eachThread(func(id, name string, used time.Duration) {
		if used < c.before[id] {
			delete(c.before, id) // that thread has ended, and this is another
		}
		if stage := stageOf(name); stage != "" {
			c.last[id] = clock{stage, used - c.before[id]}
		}
	})
}

// eachThread calls f with the id, the name and the processor time of each
// thread of this process.
func eachThread(f func(id, name string, used time.Duration)) {
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return
	}
	for _, dir := range tasks {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // the thread has ended
		}
		// pid (comm) state ppid …: comm may hold anything, so cut at its last ')'.
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if open < 0 || end < open {
			continue
		}
		fields := strings.Fields(string(stat[end+1:]))
		if len(fields) < 13 {
			continue
		}
		user, err1 := strconv.ParseInt(fields[11], 10, 64)
		system, err2 := strconv.ParseInt(fields[12], 10, 64)
		if err1 == nil && err2 == nil {
			f(dir, string(stat[open+1:end]), time.Duration(user+system)*time.Second/userHz)
		}
	}
}

func stageOf(thread string) Stage {
	for _, s := range stageOfThread {
		if strings.HasPrefix(thread, s.prefix) {
			return s.stage
		}
	}
	return ""
}

func (c *clocks) byStage() map[Stage]time.Duration {
	sum := map[Stage]time.Duration{}
	for _, t := range c.last {
		sum[t.stage] += t.used
	}
	return sum
}

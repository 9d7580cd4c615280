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
	last map[string]clock // by thread id
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

func newClocks() *clocks { return &clocks{last: map[string]clock{}} }

// read takes the times of all threads. A thread that ends between two reads
// loses what it used since the first.
func (c *clocks) read() {
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
		stage := stageOf(string(stat[open+1 : end]))
		fields := strings.Fields(string(stat[end+1:]))
		if stage == "" || len(fields) < 13 {
			continue
		}
		user, err1 := strconv.ParseInt(fields[11], 10, 64)
		system, err2 := strconv.ParseInt(fields[12], 10, 64)
		if err1 == nil && err2 == nil {
			c.last[dir] = clock{stage, time.Duration(user+system) * time.Second / userHz}
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

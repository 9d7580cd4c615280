package pool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Bounds of what a worker's words take.
const (
	lineBytes = 2 << 10 // of a line; the rest of a longer one is another
	headBytes = 2 << 10 // kept of the beginning of the last burst, for the report of its end
	tailBytes = 2 << 10 // and of what it said last
	lineRate  = 20      // lines a second in the log; others are counted
)

// lull is the silence between two bursts.
const lull = 500 * time.Millisecond

// words are what a worker writes to stderr. Who crashes says why in the beginning
// of many lines, the stacks of all goroutines; so both ends of the last burst are
// kept.
type words struct {
	mu     sync.Mutex
	log    *slog.Logger // guarded by mu, as all below; with the session's name once there is one
	spoken time.Time
	head   []byte
	tail   []byte
	cut    int // bytes between them
}

func (s *words) name(log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = log
}

// last returns both ends of the last burst.
func (s *words) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == 0 {
		return string(s.head) + string(s.tail)
	}
	return fmt.Sprintf("%s\n[%d bytes]\n%s", s.head, s.cut, s.tail)
}

// copy copies lines to the log until the stream ends.
func (s *words) copy(from io.Reader) {
	in := bufio.NewReaderSize(from, lineBytes)
	var second time.Time
	lines, dropped := 0, 0
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			log := s.keep(line)
			if now := time.Now(); now.Sub(second) >= time.Second {
				tellDropped(log, dropped)
				second, lines, dropped = now, 0, 0
			}
			if lines++; lines <= lineRate {
				log.Info("worker says", "text", string(trimNewline(line)))
			} else {
				dropped++
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			s.mu.Lock()
			log := s.log
			s.mu.Unlock()
			tellDropped(log, dropped)
			return
		}
	}
}

// keep keeps a line and returns the log.
func (s *words) keep(line []byte) *slog.Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.spoken) > lull {
		s.head, s.tail, s.cut = s.head[:0], s.tail[:0], 0
	}
	s.spoken = now
	first := min(len(line), headBytes-len(s.head))
	s.head, line = append(s.head, line[:first]...), line[first:]
	s.tail = append(s.tail, line...)
	if over := len(s.tail) - tailBytes; over > 0 {
		s.cut += over
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	return s.log
}

func tellDropped(log *slog.Logger, dropped int) {
	if dropped > 0 {
		log.Warn("worker says too much", "lines_dropped", dropped)
	}
}

func trimNewline(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1]
	}
	return line
}

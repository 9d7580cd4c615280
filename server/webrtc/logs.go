package webrtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs hands what pion logs to ours, at the level debug whatever pion takes it for: that a peer sends nonsense or
// cannot be reached is nothing that those who run the server must see, and what ends a peer is logged by its life.
type logs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return scoped{l.log.With("pion", scope)}
}

// scoped implements logging.LeveledLogger for a part of pion. Its traces, a line for each packet, are dropped.
type scoped struct{ log *slog.Logger }

func (s scoped) Trace(string)          {}
func (s scoped) Tracef(string, ...any) {}
func (s scoped) Debug(msg string)      { s.tell(msg) }
func (s scoped) Info(msg string)       { s.tell(msg) }
func (s scoped) Warn(msg string)       { s.tell(msg) }
func (s scoped) Error(msg string)      { s.tell(msg) }

func (s scoped) Debugf(format string, args ...any) { s.tellf(format, args) }
func (s scoped) Infof(format string, args ...any)  { s.tellf(format, args) }
func (s scoped) Warnf(format string, args ...any)  { s.tellf(format, args) }
func (s scoped) Errorf(format string, args ...any) { s.tellf(format, args) }

func (s scoped) tell(msg string) { s.log.Debug("webrtc", "said", msg) }

func (s scoped) tellf(format string, args []any) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) { // pion has no context to give
		s.tell(fmt.Sprintf(format, args...))
	}
}

package webrtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs hands what pion warns of to our log, at the level debug: that a peer sends nonsense or cannot be reached is
// nothing that those who run the server must see, and what ends a peer is logged by its life.
type logs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return scoped{l.log.With("pion", scope)}
}

// scoped implements logging.LeveledLogger for a part of pion. What it tells of its course is dropped: that has
// passwords of ICE in it, and a line for each packet.
type scoped struct{ log *slog.Logger }

func (s scoped) Trace(string)          {}
func (s scoped) Tracef(string, ...any) {}
func (s scoped) Debug(string)          {}
func (s scoped) Info(string)           {}
func (s scoped) Warn(msg string)       { s.tell(msg) }
func (s scoped) Error(msg string)      { s.tell(msg) }

func (s scoped) Debugf(string, ...any)             {}
func (s scoped) Infof(string, ...any)              {}
func (s scoped) Warnf(format string, args ...any)  { s.tellf(format, args) }
func (s scoped) Errorf(format string, args ...any) { s.tellf(format, args) }

func (s scoped) tell(msg string) { s.log.Debug("webrtc", "said", msg) }

func (s scoped) tellf(format string, args []any) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) { // pion has no context to give
		s.tell(fmt.Sprintf(format, args...))
	}
}

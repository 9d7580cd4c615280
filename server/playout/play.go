package playout

import (
	"context"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Selection is what of a session is played out.
type Selection struct {
	Start time.Duration // of the film
	Audio int           // number of a track of sound, StandardAudio or NoAudio
	Text  int           // number of text subtitles, StandardText or NoText
}

// Play returns a session as samples: a film from the segment on that is shown at a time of it, a live stream from its next
// key picture on. It waits until that is made. Errors are those of Open and NewBroadcast, session.ErrRequest for a time of a
// live stream, and session.ErrKind for a session that makes no stream.
func Play(ctx context.Context, entry session.Entry, chosen Selection) (Source, error) {
	switch s := entry.(type) {
	case *session.Session:
		return open(ctx, s, chosen)
	case *live.Session:
		switch {
		case chosen.Start > 0:
			return nil, fmt.Errorf("%w: a live stream begins with what is made now, and not at %s", session.ErrRequest, chosen.Start)
		case chosen.Text >= 0:
			return nil, fmt.Errorf("%w: subtitles %d of a live stream, which has none", session.ErrNoStream, chosen.Text)
		}
		return NewBroadcast(ctx, s.Subscribe(), func() wire.Opened { return s.Snapshot().Film }, chosen.Audio)
	}
	return nil, fmt.Errorf("%w: it is a %s", session.ErrKind, entry.Kind())
}

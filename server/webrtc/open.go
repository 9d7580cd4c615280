package webrtc

import (
	"context"
	"fmt"

	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Watch answers the offer of a browser that wants to watch a session, and sends it what that makes until either ends.
// It waits until the first of it is made. Errors are ErrOffer, ErrFull, ErrPorts, ErrNotReady, session.ErrNotFound,
// session.ErrKind, playout.ErrPast, what the session ended with, and ctx's.
func (s *Server) Watch(ctx context.Context, id, offer string) (Answer, error) {
	entry, err := s.o.Sessions.Find(id)
	if err != nil {
		return Answer{}, err
	}
	return s.send(ctx, id, offer, func(ctx context.Context) (Stream, Media, error) {
		switch entry := entry.(type) {
		case *session.Session:
			return newFilm(ctx, entry)
		case *live.Session:
			return newBroadcast(ctx, entry)
		}
		return nil, Media{}, fmt.Errorf("%w: it is a %s", session.ErrKind, entry.Kind())
	})
}

// Loop answers the offer of a page that sends its own picture and wants it back upscaled, as about says, over the same
// connection. The session that makes it ends with the connection. Errors are ErrOffer, ErrFull, ErrPorts, ErrNotReady,
// those of live.Studio's Start, and ctx's.
func (s *Server) Loop(ctx context.Context, about session.About, offer string) (Answer, error) {
	return s.give(ctx, offer, func(ctx context.Context, start func(func()), feed *feed) (maker, error) {
		return s.begin(ctx, about, start, feed)
	})
}

// begin begins the live session of a page, and returns when it has its place, long before its picture is found.
func (s *Server) begin(ctx context.Context, about session.About, start func(func()), feed *feed) (maker, error) {
	begun, failed := make(chan *live.Session, 1), make(chan error, 1)
	start(func() {
		_, err := s.o.Studio.Start(ctx, about, live.Stream{
			Feed: feed.write, Audio: wire.AudioNone, Figures: feed.figures, Begun: func(l *live.Session) { begun <- l },
		})
		if err != nil {
			failed <- err // after begun the session tells it, too
		}
	})
	select {
	case l := <-begun:
		return own{l}, nil
	case err := <-failed:
		return nil, err
	}
}

// own is the session of a page.
type own struct{ *live.Session }

// Stream returns what the session makes.
func (o own) Stream() Stream { return &broadcast{session: o.Session, sub: o.Subscribe()} }

// End ends the session.
func (o own) End(cause error) { o.Leave(cause) }

package webrtc

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
)

// maker is a live session that makes what a feed brings.
type maker interface {
	ID() string
	// Stream returns what it makes, from the next key frame on. There is one reader.
	Stream() Stream
	// End ends the session with what its peer has ended with; nil: nothing came of that. It does not wait.
	End(cause error)
}

// begin begins the session of a page. It does not wait for the first of its feed, which comes after the answer. What
// has to run meanwhile it starts as the peer's; ctx ends with the peer.
type begin func(ctx context.Context, start func(func()), feed *feed) (maker, error)

// give answers the offer of a page that sends its own picture to have it back upscaled, over the one connection. The
// session ends with that. Errors are ErrOffer, ErrFull, ErrPorts, ErrNotReady, begin's, or ctx's.
func (s *Server) give(ctx context.Context, text string, begin begin) (_ Answer, err error) {
	o, err := parseOffer(text)
	if err != nil {
		return Answer{}, err
	}
	if _, ok := o.in(webrtc.RTPCodecTypeVideo); !ok {
		return Answer{}, fmt.Errorf("%w: it has no section in which the browser sends H.264 or VP8", ErrOffer)
	}
	p, err := s.meet(true)
	if err != nil {
		return Answer{}, err
	}
	defer func() {
		if err != nil {
			s.part(p)
		}
	}()
	_, sound := o.in(webrtc.RTPCodecTypeAudio)
	if err := p.arrange(o, Media{Sound: sound}); err != nil {
		return Answer{}, err
	}
	p.receive()
	answer, err := p.answer(ctx, text)
	if err != nil {
		return Answer{}, err
	}
	feed := newFeed()
	made, err := begin(p.over, p.start, feed) //nolint:contextcheck // what is made outlasts the request
	if err != nil {
		return Answer{}, err
	}
	s.name(p, made.ID())
	if err := s.start(ctx, func() { s.loop(p, feed, made) }); err != nil {
		made.End(nil)
		return Answer{}, err
	}
	return Answer{Session: made.ID(), Peer: p.id, SDP: answer}, nil
}

// receive has the tracks that the browser sends be told of.
func (p *peer) receive() {
	p.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		select {
		case p.incoming <- incoming{track, receiver}:
		case <-p.over.Done():
		}
	})
}

// loop is the life of a peer that has its own picture back.
func (s *Server) loop(p *peer, feed *feed, made maker) {
	defer func() { made.End(context.Cause(p.over)) }()
	s.live(p, func() error {
		back := &returned{
			stream: made.Stream(), clocks: newClocks(), pictures: make(chan Packet), sounds: make(chan Packet, held),
		}
		r := &receiver{p: p, clocks: back.clocks, feed: feed, sounds: back.sounds}
		p.start(func() { r.accept(p.over, p.start) })
		p.start(func() { back.pump(p.over) })
		p.start(func() { p.expect(feed) })
		return p.attend(back)
	})
}

// expect ends the peer where it sends no picture that a decoder could begin with.
func (p *peer) expect(feed *feed) {
	timer := time.NewTimer(p.o.Connect)
	defer timer.Stop()
	select {
	case <-feed.begun:
	case <-timer.C:
		p.end(errNoPicture)
	case <-p.over.Done():
	}
}

// returned is the Stream that a page gets back: the pictures of a live session with the sound that came along with
// those they were made of, kept back until they are there.
type returned struct {
	stream   Stream
	clocks   *clocks
	pictures chan Packet // from pump
	sounds   chan Packet
	hold     hold
	ended    error // set before pictures is closed
}

// pump reads the pictures, so that Next can wait for pictures and sound at once.
func (b *returned) pump(ctx context.Context) {
	defer close(b.pictures)
	defer b.stream.Close()
	for {
		p, err := b.stream.Next(ctx)
		if err != nil {
			b.ended = err
			return
		}
		if p.Sound {
			continue // none is made
		}
		select {
		case b.pictures <- p:
		case <-ctx.Done():
			b.ended = context.Cause(ctx)
			return
		}
	}
}

// Next implements Stream.
func (b *returned) Next(ctx context.Context) (Packet, error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		shift, _ := b.clocks.shift()
		p, due, wait := b.hold.due(now, shift)
		if due {
			return p, nil
		}
		timer.Reset(wait)
		select {
		case p, more := <-b.pictures:
			if !more {
				return Packet{}, b.ended
			}
			b.hold.sent(p.At, time.Now())
			return p, nil
		case p := <-b.sounds:
			b.hold.push(p)
		case <-timer.C:
		case <-ctx.Done():
			return Packet{}, context.Cause(ctx)
		}
	}
}

// KeyFrame implements Stream.
func (b *returned) KeyFrame() { b.stream.KeyFrame() }

// Close implements Stream. The stream below is pump's to close.
func (b *returned) Close() {}

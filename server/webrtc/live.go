package webrtc

import (
	"context"
	"errors"
	"io"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// broadcast is the Stream of a live session.
type broadcast struct {
	session *live.Session
	sub     *live.Subscription
	first   *wire.Packet // that was read to know of the Inits before it; nil: handed out
	opus    bool         // the sound is
}

// newBroadcast subscribes to a live session, and waits for the first key frame of it.
func newBroadcast(ctx context.Context, s *live.Session) (_ *broadcast, media Media, err error) {
	b := &broadcast{session: s, sub: s.Subscribe()}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	for {
		m, err := b.sub.Next(ctx)
		if err != nil {
			return nil, Media{}, err
		}
		switch m := m.(type) {
		case wire.Init:
			b.take(m)
			if m.Run == wire.RelayVideo {
				media.CodecData = m.CodecData
			} else if media.Sound = b.opus; !b.opus {
				media.Warnings = append(media.Warnings, soundLeftOut)
			}
		case wire.Packet:
			b.first = &m
			return b, media, nil
		}
	}
}

func (b *broadcast) take(m wire.Init) {
	if m.Run == wire.RelayAudio {
		b.opus = m.Codec == fmp4.CodecOpus
	}
}

// Next implements Stream. What comes is due: it is live.
func (b *broadcast) Next(ctx context.Context) (Packet, error) {
	if first := b.first; first != nil {
		b.first = nil
		if p, ok := b.packet(*first); ok {
			return p, nil
		}
	}
	for {
		m, err := b.sub.Next(ctx)
		if ended := (*session.EndedError)(nil); errors.As(err, &ended) && ended.Failure == nil {
			return Packet{}, io.EOF
		}
		if err != nil {
			return Packet{}, err
		}
		switch m := m.(type) {
		case wire.Init:
			b.take(m)
		case wire.Packet:
			if p, ok := b.packet(m); ok {
				return p, nil
			}
		}
	}
}

// packet returns a packet as a peer is sent it, if it is.
func (b *broadcast) packet(m wire.Packet) (p Packet, ok bool) {
	p = Packet{Sound: m.Run == wire.RelayAudio, Key: m.Key, Data: m.Data}
	rate := int64(pictureRate)
	if p.Sound {
		rate = soundRate
	}
	p.At = wire.Duration(m.PTS, rate)
	return p, !p.Sound || b.opus
}

// KeyFrame implements Stream.
func (b *broadcast) KeyFrame() { b.session.KeyFrame() }

// Close implements Stream.
func (b *broadcast) Close() { b.sub.Close() }

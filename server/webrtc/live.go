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
	past    bool // what sub has was made before the peer was connected
	opus    bool // the sound is
}

// newBroadcast subscribes to a live session, and waits for the first key frame of it: by then it is known what there is.
func newBroadcast(ctx context.Context, s *live.Session) (_ *broadcast, media Media, err error) {
	b := &broadcast{session: s, sub: s.Subscribe(), past: true}
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
			return b, media, nil
		}
	}
}

func (b *broadcast) take(m wire.Init) {
	if m.Run == wire.RelayAudio {
		b.opus = m.Codec == fmp4.CodecOpus
	}
}

// Next implements Stream. What comes is due: it is live. What was made while the peer was still connecting is not: in
// one burst it would only fill the browser's buffer.
func (b *broadcast) Next(ctx context.Context) (Packet, error) {
	if b.past {
		old := b.sub
		b.sub, b.past = b.session.Subscribe(), false
		old.Close() // behind the other, so that somebody subscribes all the time
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

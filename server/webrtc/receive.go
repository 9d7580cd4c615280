package webrtc

import (
	"context"
	"strings"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// receiver takes in what a browser sends: pictures to a feed, packets of sound to who keeps them back.
type receiver struct {
	p      *peer
	clocks *clocks
	feed   *feed
	sounds chan Packet // when it is full, the sound is lost
}

// incoming is a track that has begun to come.
type incoming struct {
	track    *webrtc.TrackRemote
	receiver *webrtc.RTPReceiver
}

// accept receives the first track of each kind that comes, until ctx ends and the connection is closed.
func (r *receiver) accept(ctx context.Context, start func(func())) {
	taken := map[webrtc.RTPCodecType]bool{}
	for {
		select {
		case in := <-r.p.incoming:
			kind := in.track.Kind()
			if taken[kind] {
				r.p.log.Info("one track of a kind is taken in, another one is left", "kind", kind)
				continue
			}
			taken[kind] = true
			sound := kind == webrtc.RTPCodecTypeAudio
			start(func() { r.reports(in.receiver, sound) })
			if sound {
				start(func() { r.sound(in.track) })
			} else {
				start(func() { r.picture(in.track) })
			}
		case <-ctx.Done():
			return
		}
	}
}

// reports reads what the browser tells of its clocks, until the connection is closed.
func (r *receiver) reports(from *webrtc.RTPReceiver, sound bool) {
	r.p.readAll(func() error {
		packets, _, err := from.ReadRTCP()
		for _, packet := range packets {
			if report, ok := packet.(*rtcp.SenderReport); ok {
				r.clocks.report(sound, report)
			}
		}
		return err
	})
}

// sound passes Opus on as it is, until the connection is closed.
func (r *receiver) sound(track *webrtc.TrackRemote) {
	r.p.readAll(func() error {
		packet, _, err := track.ReadRTP()
		if err != nil || len(packet.Payload) == 0 {
			return err
		}
		at := r.clocks.at(true, packet.Timestamp, time.Now())
		select {
		case r.sounds <- Packet{Sound: true, Key: true, At: at, Data: packet.Payload}:
		default:
		}
		return nil
	})
}

// picture puts pictures together and feeds them on, until the connection is closed.
func (r *receiver) picture(track *webrtc.TrackRemote) {
	var a *assembler
	var kind webrtc.PayloadType
	var begged time.Time
	skipping := false // to a key frame, since pictures were dropped
	r.p.readAll(func() error {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return err
		}
		if a == nil || kind != track.PayloadType() { // a browser may change to another codec that was agreed on
			format, known := formatOf(track.Codec().MimeType)
			if !known {
				return nil
			}
			a, kind = newAssembler(format), track.PayloadType()
		}
		now := time.Now()
		pictures, lost := a.push(packet, now)
		for _, p := range pictures {
			at := r.clocks.at(false, p.stamp, now)
			if skipping = skipping && !p.key; !skipping {
				skipping = !r.feed.push(fed{picture: p, format: &a.format, at: at})
			} else {
				a.dropped++
			}
		}
		r.feed.dropped.Add(int64(a.dropped))
		a.dropped = 0
		if (lost || skipping) && now.Sub(begged) >= begging {
			begged = now
			r.beg(track)
		}
		return nil
	})
}

// beg asks the browser for a key frame.
func (r *receiver) beg(track *webrtc.TrackRemote) {
	if err := r.p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}}); err != nil {
		r.p.log.Debug("no key frame asked for", "error", err)
	}
}

// formatOf returns the format of a codec by its name.
func formatOf(mime string) (format, bool) {
	for name, f := range inbound {
		if strings.EqualFold(name, mime) {
			return f, true
		}
	}
	return format{}, false
}

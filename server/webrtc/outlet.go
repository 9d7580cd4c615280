package webrtc

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

const (
	// payload is the largest payload of a packet, so that it fits every usual network with its headers and SRTP.
	payload = 1180
	// A large picture is sent in bursts with a breath between them: the receiver's socket has room for about a
	// hundred packets, and switches of home networks for fewer. That is 150 Mbit/s.
	burst  = 16
	breath = time.Millisecond
)

// outlet sends media of one kind to a peer. It is its goroutine's alone.
type outlet struct {
	track     *webrtc.TrackLocalStaticRTP
	ssrc      uint32
	payloader rtp.Payloader
	rate      uint32
	picture   bool

	sequence uint16
	base     uint32        // timestamp of the zero of the packets' own line
	shift    time.Duration // of that line
	pictures int           // or packets of sound
	packets  uint32
	octets   uint32
}

func newOutlet(track *webrtc.TrackLocalStaticRTP, picture bool) *outlet {
	o := &outlet{track: track, payloader: &codecs.OpusPayloader{}, rate: soundRate, picture: picture}
	if picture {
		o.payloader, o.rate = &codecs.H264Payloader{}, pictureRate
	}
	// RFC 3550 §5.1: both begin at random.
	o.sequence, o.base = uint16(rand.Uint32()), rand.Uint32() //nolint:gosec // to tell streams apart, not to hide anything
	return o
}

// timestamp returns the RTP timestamp of a time of the line.
func (o *outlet) timestamp(at time.Duration) uint32 {
	seconds, rest := at/time.Second, at%time.Second
	return o.base + uint32(int64(seconds)*int64(o.rate)+(int64(rest)*int64(o.rate)+int64(time.Second)/2)/int64(time.Second))
}

// write sends a packet of the stream.
func (o *outlet) write(ctx context.Context, p Packet) error {
	payloads, err := o.split(p.Data)
	if err != nil {
		return err
	}
	stamp := o.timestamp(p.At)
	o.shift = p.Shift
	o.pictures++
	for i, data := range payloads {
		if i > 0 && i%burst == 0 {
			if err := pause(ctx, breath); err != nil {
				return err
			}
		}
		o.sequence++
		packet := rtp.Packet{Payload: data, Header: rtp.Header{
			Version: 2, Marker: o.picture && i == len(payloads)-1, SequenceNumber: o.sequence, Timestamp: stamp,
		}}
		if err := o.track.WriteRTP(&packet); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		o.packets++
		o.octets += uint32(len(data))
	}
	return nil
}

// split returns the payloads of a packet. NAL units are handed on one by one, without the start codes of Annex B that
// RTP drops anyway; parameter sets are kept by the payloader and sent with the unit behind them.
func (o *outlet) split(data []byte) (payloads [][]byte, err error) {
	if !o.picture {
		return o.payloader.Payload(payload, data), nil
	}
	err = units(data, func(unit []byte) { payloads = append(payloads, o.payloader.Payload(payload, unit)...) })
	return payloads, err
}

// report returns a sender report (RFC 3550 §6.4.1) that says which timestamp goes with a moment. What is exact here is
// what the browser sets sound and picture by, so it comes from the line and not from when packets happened to leave.
func (o *outlet) report(at time.Duration, now time.Time) rtcp.Packet {
	return &rtcp.SenderReport{
		SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: o.timestamp(at - o.shift), PacketCount: o.packets, OctetCount: o.octets,
	}
}

// ntp returns a time as RFC 3550 §4 has it: seconds since 1900 in 32.32.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// units calls each for every NAL unit of an access unit in AVC form.
func units(data []byte, each func([]byte)) error {
	for len(data) > 0 {
		if len(data) < 4 {
			return fmt.Errorf("access unit with %d bytes behind its last unit", len(data))
		}
		n := binary.BigEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-4) {
			return fmt.Errorf("access unit with a unit of %d bytes in %d", n, len(data)-4)
		}
		each(data[4 : 4+n])
		data = data[4+n:]
	}
	return nil
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

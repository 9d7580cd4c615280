package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	tscodecs "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
)

// caller is a client of WebRTC as a browser is one, without its buffer and its screen.
type caller struct {
	pc      *webrtc.PeerConnection
	tracks  chan *webrtc.TrackRemote
	sending sync.WaitGroup
	leave   []func() error // what close does, the last first

	// Of receive.
	pictures []*media.Sample
	last     map[uint32]time.Time // when the last packet of a picture came, by its timestamp
}

// newCaller returns a client that has not called yet.
func newCaller() (*caller, error) {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	c := &caller{pc: pc, tracks: make(chan *webrtc.TrackRemote, 1), last: map[uint32]time.Time{}}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.tracks <- track })
	c.leave = []func() error{pc.GracefulClose}
	return c, nil
}

// close ends the call, and returns when nothing is left of it.
func (c *caller) close() (err error) {
	for i := len(c.leave) - 1; i >= 0; i-- {
		err = errors.Join(err, c.leave[i]())
	}
	c.sending.Wait()
	return err
}

// call sends the offer to a path of the server.
func (c *caller) call(ctx context.Context, d *daemon.Daemon, path string) error {
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	answer, err := d.Offer(ctx, path, c.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// watch begins a session and watches it.
func (c *caller) watch(ctx context.Context, d *daemon.Daemon, o playback.Order) error {
	s, err := d.Create(ctx, o)
	if err != nil {
		return err
	}
	c.leave = append(c.leave, func() error { return d.Delete(context.WithoutCancel(ctx), s.ID) })
	if _, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return err
	}
	return c.call(ctx, d, s.URLs.WHEP)
}

// loop sends a clip over the connection that it is to come back by, until ctx ends.
func (c *caller) loop(ctx context.Context, d *daemon.Daemon, path string, clip liveClip) (*sender, error) {
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "picture", "bench")
	if err != nil {
		return nil, err
	}
	if _, err := c.pc.AddTrack(track); err != nil {
		return nil, err
	}
	if err := c.call(ctx, d, path); err != nil {
		return nil, err
	}
	s := &sender{clip: clip, sent: map[int]time.Time{}}
	c.sending.Go(func() {
		_ = s.run(ctx, func(_ int, au [][]byte) error { // what does not come back tells
			data, err := h264.AnnexB(au).Marshal()
			if err != nil {
				return err
			}
			return track.WriteSample(media.Sample{Data: data, Duration: time.Second / filmRate})
		})
	})
	return s, nil
}

// receive takes what comes for a time, from the first picture on.
func (c *caller) receive(ctx context.Context, lasts time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready, errors.New("no picture came"))
	defer cancel()
	var track *webrtc.TrackRemote
	select {
	case track = <-c.tracks:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	whole := samplebuilder.New(1024, &codecs.H264Packet{}, liveScale)
	for end := time.Now().Add(lasts); ; {
		if err := track.SetReadDeadline(end); err != nil {
			return err
		}
		packet, _, err := track.ReadRTP()
		now := time.Now()
		if now.After(end) {
			return nil
		}
		if err != nil {
			return err
		}
		c.last[packet.Timestamp] = now
		whole.Push(packet)
		for p := whole.Pop(); p != nil; p = whole.Pop() {
			c.pictures = append(c.pictures, p)
		}
	}
}

// numbers decodes what came and returns which pictures those were, and when each was
// there. The stream is kept at path.
func (c *caller) numbers(ctx context.Context, path string) (came []numbered, err error) {
	if err := c.write(path); err != nil {
		return nil, err
	}
	numbers, err := readNumbers(ctx, path, 2)
	if err != nil {
		return nil, err
	}
	if len(numbers) != len(c.pictures) {
		return nil, fmt.Errorf("%d pictures were decoded of %d that came", len(numbers), len(c.pictures))
	}
	for i, p := range c.pictures {
		came = append(came, numbered{numbers[i], c.last[p.PacketTimestamp]})
	}
	return came, nil
}

// write writes what came as a transport stream.
func (c *caller) write(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	track := &mpegts.Track{Codec: &tscodecs.H264{}}
	w := &mpegts.Writer{W: file, Tracks: []*mpegts.Track{track}}
	if err := w.Initialize(); err != nil {
		return err
	}
	for i, p := range c.pictures {
		var au h264.AnnexB
		if err := au.Unmarshal(p.Data); err != nil {
			return err
		}
		if err := w.WriteH264(track, liveTicks(i), liveTicks(i), au); err != nil {
			return err
		}
	}
	return nil
}

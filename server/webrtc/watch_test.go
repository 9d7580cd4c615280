package webrtc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"
)

// TestWatchedPicturesAreThoseOfTheStream sends pictures of all sizes to a client and compares what it puts together
// of their packets, byte by byte.
func TestWatchedPicturesAreThoseOfTheStream(t *testing.T) {
	s, c := serve(t, nil), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	packets := filmH264(t, "640x360", "3")
	described, err := trackH264(packets[0].Data)
	must(t, err)
	stream := newReel(packets)
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{CodecData: described.CodecPrivate}))
	must(t, err)
	c.accept(answer.SDP)
	track := c.track()
	if track.Codec().MimeType != webrtc.MimeTypeH264 || track.Codec().SDPFmtpLine != profileHigh.fmtp() {
		t.Errorf("%+v", track.Codec())
	}
	builder := samplebuilder.New(512, &codecs.H264Packet{IsAVC: true}, pictureRate)
	var got []Packet
	var base *uint32
	for more := true; more; {
		packet, _, err := track.ReadRTP()
		if more = !errors.Is(err, io.EOF); more {
			must(t, err)
			builder.Push(packet)
		} else {
			builder.Flush()
		}
		for sample := builder.Pop(); sample != nil; sample = builder.Pop() {
			if base == nil {
				base = &sample.PacketTimestamp
			}
			got = append(got, Packet{At: time.Duration(sample.PacketTimestamp-*base) * time.Second / pictureRate, Data: sample.Data})
		}
	}
	if len(got) != len(packets) {
		t.Fatalf("%d pictures of %d", len(got), len(packets))
	}
	for i, p := range packets {
		if got[i].At != p.At || !bytes.Equal(got[i].Data, p.Data) {
			t.Errorf("picture %d: %d bytes at %s, not %d at %s", i, len(got[i].Data), got[i].At, len(p.Data), p.At)
		}
	}
	c.over()
	<-stream.closed
}

func TestLossAsksForAKeyFrame(t *testing.T) {
	s, c := serve(t, nil), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	stream := newReel(filmH264(t, "160x96", "10"))
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	c.accept(answer.SDP)
	track := c.track()
	must(t, c.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}}))
	eventually(t, "asked for a key frame", func() bool { return stream.keyFrames() == 1 })
	must(t, s.HangUp(t.Context(), "film", answer.Peer))
	c.over()
	<-stream.closed
	if err := s.HangUp(t.Context(), "film", answer.Peer); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestPictureIsSentInTheSectionThatTakesIt has an offer with a section in front that takes no H.264.
func TestPictureIsSentInTheSectionThatTakesIt(t *testing.T) {
	s, c := serve(t, nil), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	c.receives(webrtc.RTPCodecTypeVideo)
	must(t, c.GetTransceivers()[0].SetCodecPreferences([]webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: pictureRate}, PayloadType: 96},
	}))
	stream := newReel(filmH264(t, "160x96", "2"))
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	c.accept(answer.SDP)
	track := c.track()
	if got := c.GetTransceivers()[1].Receiver().Track(); got != track || track.Codec().MimeType != webrtc.MimeTypeH264 {
		t.Errorf("%s comes in another section", track.Codec().MimeType)
	}
	_, _, err = track.ReadRTP()
	must(t, err)
	must(t, s.HangUp(t.Context(), "film", answer.Peer))
}

// TestPeerThatLeavesIsGoneAtOnce closes clients: what they say with that ends their peers, and not that they are silent
// from then on. That of one in some hundreds does not come to say goodbye: see over.
func TestPeerThatLeavesIsGoneAtOnce(t *testing.T) {
	s := serve(t, nil)
	packets := filmH264(t, "160x96", "10")
	silent := 0
	for range 5 {
		c, stream := newClient(t), newReel(packets)
		c.receives(webrtc.RTPCodecTypeVideo)
		answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
		must(t, err)
		s.mu.Lock()
		p := s.peers[answer.Peer]
		s.mu.Unlock()
		c.accept(answer.SDP)
		c.track()
		must(t, c.Close())
		<-stream.closed
		<-p.gone
		switch cause := context.Cause(p.over); {
		case errors.Is(cause, errLost):
			silent++
		case !errors.Is(cause, errClosed):
			t.Error(cause)
		}
	}
	if silent > 1 {
		t.Errorf("%d of 5 clients were waited for", silent)
	}
}

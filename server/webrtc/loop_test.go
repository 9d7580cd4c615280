package webrtc

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// page is a client that sends its own picture, and sound of which each packet tells its number.
type page struct {
	*client
	mime     string
	pictures []Packet
	picture  *webrtc.TrackLocalStaticSample
	sound    *webrtc.TrackLocalStaticSample
	begged   atomic.Int32 // times for a key frame
}

// newPage returns a page that sends and receives in the same sections of its offer.
func newPage(t *testing.T, mime string, pictures []Packet, beside ...interceptor.Factory) *page {
	t.Helper()
	p := &page{client: newClient(t, beside...), mime: mime, pictures: pictures}
	var sender *webrtc.RTPSender
	p.picture, sender = p.sends(mime, "picture")
	p.sound, _ = p.sends(webrtc.MimeTypeOpus, "sound")
	go p.listen(sender) // ends with the connection
	return p
}

// sends has the client send a track of its own.
func (p *page) sends(mime, name string) (*webrtc.TrackLocalStaticSample, *webrtc.RTPSender) {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, name, "page")
	must(p.t, err)
	sender, err := p.AddTrack(track)
	must(p.t, err)
	return track, sender
}

// listen reads what the other side reports, by which pion sends again what was lost, and counts how often it is asked
// for a key frame, which the page does not make.
func (p *page) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, begs := packet.(*rtcp.PictureLossIndication); begs {
				p.begged.Add(1)
			}
		}
	}
}

// play sends the pictures at their times, with two packets of sound for each, until ctx ends.
func (p *page) play(ctx context.Context) {
	begun := time.Now()
	for i, next := range p.pictures {
		if pause(ctx, time.Until(begun.Add(next.At))) != nil {
			return
		}
		data := next.Data
		if p.mime == webrtc.MimeTypeH264 {
			data = annexB(p.t, data)
		}
		_ = p.picture.WriteSample(media.Sample{Data: data, Duration: 40 * time.Millisecond}) // it is seen when nothing comes back
		for half := range 2 {
			_ = p.sound.WriteSample(media.Sample{Data: []byte{0xfc, byte(2*i + half)}, Duration: 20 * time.Millisecond})
		}
	}
}

// annexB returns an access unit in AVC form with start codes.
func annexB(t *testing.T, data []byte) (out []byte) {
	t.Helper()
	must(t, units(data, func(unit []byte) { out = append(append(out, 0, 0, 0, 1), unit...) }))
	return out
}

// came is a picture or a packet of sound that came back.
type came struct {
	sound  bool
	number byte          // of sound
	at     time.Duration // since the first of its kind, by its timestamp
	when   time.Time
}

// receive tells of all that comes back of a track, until the connection is closed.
func receive(track *webrtc.TrackRemote, to chan<- came) {
	counter := counter{rate: int64(track.Codec().ClockRate)}
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		c := came{sound: track.Kind() == webrtc.RTPCodecTypeAudio, at: counter.at(packet.Timestamp), when: time.Now()}
		if c.sound {
			c.number = packet.Payload[1]
		}
		if c.sound || packet.Marker {
			to <- c
		}
	}
}

// TestPageHasItsPictureBack sends pictures and sound through a worker that is late, and has as many pictures back as
// it sent, with the sound as it was and no sooner than the pictures that belong to it.
func TestPageHasItsPictureBack(t *testing.T) {
	const late = 200 * time.Millisecond
	for mime, pictures := range map[string][]Packet{
		webrtc.MimeTypeH264: filmH264(t, "320x180", "6"), webrtc.MimeTypeVP8: filmVP8(t, "320x180", "6"),
	} {
		t.Run(mime, func(t *testing.T) {
			s, p := serve(t, nil), newPage(t, mime, pictures)
			answer, err := s.give(t.Context(), p.offer(), func(_ context.Context, _ func(func()), feed *feed) (maker, error) {
				return newRelay(t, feed.write, late), nil //nolint:contextcheck // it ends with the test
			})
			must(t, err)
			p.accept(answer.SDP)
			p.reaches(webrtc.PeerConnectionStateConnected)
			ctx, cancel := context.WithCancel(t.Context())
			var playing sync.WaitGroup
			playing.Go(func() { p.play(ctx) })
			defer playing.Wait()
			defer cancel()
			all := make(chan came, 1000)
			for range 2 {
				track := p.track()
				playing.Go(func() { receive(track, all) })
			}
			checkReturn(t, all, late)
			must(t, s.HangUp(t.Context(), answer.Session, answer.Peer))
			p.over()
		})
	}
}

// checkReturn looks at some seconds of what comes back.
func checkReturn(t *testing.T, all <-chan came, late time.Duration) {
	t.Helper()
	var pictures []came
	var sounds []came
	timeout := time.After(patience)
	for len(pictures) < 80 || len(sounds) < 120 {
		select {
		case c := <-all:
			if c.sound {
				sounds = append(sounds, c)
			} else {
				pictures = append(pictures, c)
			}
		case <-timeout:
			t.Fatalf("%d pictures and %d packets of sound came back", len(pictures), len(sounds))
		}
	}
	for i := range pictures[1:] {
		if step := pictures[i+1].at - pictures[i].at; step != 40*time.Millisecond {
			t.Errorf("picture %d is %s after the one before", i+1, step)
		}
	}
	ahead, n := time.Duration(0), 0
	for i, c := range sounds {
		if i > 0 && (c.number != sounds[i-1].number+1 || c.at-sounds[i-1].at != 20*time.Millisecond) {
			t.Errorf("sound %d, %s behind sound %d", c.number, c.at-sounds[i-1].at, sounds[i-1].number)
		}
		// Sound 2 n belongs to picture n, and the first picture that came back was the first that was sent.
		if k := int(c.number) / 2; c.number%2 == 0 && k < len(pictures) && i > 50 {
			ahead += pictures[k].when.Sub(c.when)
			n++
		}
	}
	// Without being kept back it would be ahead by late. How far it is behind where delays vary, leap bounds.
	if ahead /= time.Duration(max(n, 1)); n < 10 || ahead > late/2 || ahead < -leap {
		t.Errorf("sound is %s ahead of its pictures, by %d of them", ahead, n)
	}
	t.Logf("sound is %s ahead of its pictures, by %d of them", ahead, n)
}

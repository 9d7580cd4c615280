package ingest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	tscodecs "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"
	"github.com/pion/rtp"
)

// programUnit is a piece of a program: an access unit of H.264, or a frame of AAC.
type programUnit struct {
	at    time.Duration
	au    [][]byte // of a picture
	frame []byte   // of sound
}

// program is a few seconds of H.264 and AAC, in the order of their times, which stations send round and round.
type program struct {
	units    []programUnit
	lasts    time.Duration
	sps, pps []byte
	aac      mpeg4audio.AudioSpecificConfig
}

// newProgram reads a transport stream.
func newProgram(t *testing.T, seconds int) *program {
	t.Helper()
	p := &program{lasts: time.Duration(seconds) * time.Second}
	reader := &mpegts.Reader{R: bytes.NewReader(encode(t, float64(seconds), avcAAC...))}
	if err := reader.Initialize(); err != nil {
		t.Fatal(err)
	}
	first := int64(-1)
	at := func(pts int64) time.Duration {
		if first < 0 {
			first = pts
		}
		return ticks(pts-first, 90000)
	}
	for _, track := range reader.Tracks() {
		switch codec := track.Codec.(type) {
		case *tscodecs.H264:
			reader.OnDataH264(track, func(pts, _ int64, au [][]byte) error {
				for _, unit := range au {
					switch h264.NALUType(unit[0] & 0x1f) {
					case h264.NALUTypeSPS:
						p.sps = unit
					case h264.NALUTypePPS:
						p.pps = unit
					default: // no set
					}
				}
				p.units = append(p.units, programUnit{at: at(pts), au: au})
				return nil
			})
		case *tscodecs.MPEG4Audio:
			p.aac = codec.Config
			reader.OnDataMPEG4Audio(track, func(pts int64, frames [][]byte) error {
				for i, frame := range frames {
					p.units = append(p.units, programUnit{at: at(pts) + ticks(int64(i)*1024, codec.SampleRate), frame: frame})
				}
				return nil
			})
		}
	}
	for {
		if err := reader.Read(); errors.Is(err, io.EOF) {
			slices.SortStableFunc(p.units, func(a, b programUnit) int { return cmp.Compare(a.at, b.at) })
			return p
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// send sends the program in real time until ctx ends, speed times as fast.
func (p *program) send(ctx context.Context, speed int, unit func(at time.Duration, u programUnit)) {
	begun := time.Now()
	for round := time.Duration(0); ; round += p.lasts {
		for _, u := range p.units {
			at := round + u.at
			select {
			case <-time.After(time.Until(begun.Add(at / time.Duration(speed)))):
			case <-ctx.Done():
				return
			}
			unit(at, u)
		}
	}
}

// still is an answer whose headers are written while the library is not: it reads then what it changes.
type still struct {
	http.ResponseWriter
	writing *sync.Mutex
	held    bool
}

func (s *still) Header() http.Header {
	if !s.held {
		s.writing.Lock()
		s.held = true
	}
	return s.ResponseWriter.Header()
}

func (s *still) WriteHeader(status int) {
	s.release()
	s.ResponseWriter.WriteHeader(status)
}

func (s *still) release() {
	if s.held {
		s.held = false
		s.writing.Unlock()
	}
}

// hlsStation sends a program as HLS of a variant, until the test ends.
func hlsStation(t *testing.T, p *program, variant gohlslib.MuxerVariant) *httptest.Server {
	t.Helper()
	picture := &gohlslib.Track{Codec: &codecs.H264{SPS: p.sps, PPS: p.pps}, ClockRate: 90000}
	sound := &gohlslib.Track{Codec: &codecs.MPEG4Audio{Config: p.aac}, ClockRate: p.aac.SampleRate}
	if variant == gohlslib.MuxerVariantMPEGTS {
		sound.ClockRate = 90000
	}
	muxer := &gohlslib.Muxer{
		Variant: variant, SegmentCount: 7, SegmentMinDuration: 900 * ms, PartMinDuration: 150 * ms,
		Tracks: []*gohlslib.Track{picture, sound}, OnEncodeError: func(error) {},
	}
	if err := muxer.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var writing sync.Mutex
	var sending sync.WaitGroup
	sending.Go(func() {
		p.send(ctx, 1, func(at time.Duration, u programUnit) {
			writing.Lock()
			defer writing.Unlock()
			var err error
			if u.au != nil {
				err = muxer.WriteH264(picture, time.Now(), int64(at)*90000/int64(time.Second), u.au)
			} else {
				err = muxer.WriteMPEG4Audio(sound, time.Now(), int64(at)*int64(sound.ClockRate)/int64(time.Second), [][]byte{u.frame})
			}
			if err != nil {
				t.Errorf("station: %v", err)
				cancel()
			}
		})
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/none.m3u8") {
			still := &still{ResponseWriter: w, writing: &writing}
			muxer.Handle(still, r)
			still.release()
		}
	}))
	t.Cleanup(func() {
		s.Close() // first, since requests wait for what is sent
		cancel()
		sending.Wait()
		muxer.Close()
	})
	return s
}

// rtspStation sends a program to everybody who plays. It implements the handlers of gortsplib.
type rtspStation struct {
	server *gortsplib.Server
	stream *gortsplib.ServerStream
	moved  string // where the path /moved leads
}

func (s *rtspStation) OnDescribe(c *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	switch c.Path {
	case "/moved":
		return &base.Response{StatusCode: base.StatusFound, Header: base.Header{"Location": base.HeaderValue{s.moved}}}, nil, nil
	case "/none":
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *rtspStation) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *rtspStation) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// newRTSPStation runs a station until the test ends, and returns the URL of its program. Without UDP it takes TCP alone.
func newRTSPStation(t *testing.T, p *program, udp bool) (*rtspStation, string) {
	t.Helper()
	return newStation(t, p, udp, nil)
}

// newStation is newRTSPStation, over TLS where it has a certificate.
func newStation(t *testing.T, p *program, udp bool, secret *tls.Config) (*rtspStation, string) {
	t.Helper()
	picture := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{
		&format.H264{PayloadTyp: 96, SPS: p.sps, PPS: p.pps, PacketizationMode: 1},
	}}
	sound := &description.Media{Type: description.MediaTypeAudio, Formats: []format.Format{
		&format.MPEG4Audio{PayloadTyp: 97, ProfileLevelID: 1, Config: &p.aac, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3},
	}}
	s := &rtspStation{}
	s.server = &gortsplib.Server{Handler: s, RTSPAddress: "127.0.0.1:0", TLSConfig: secret}
	if udp {
		s.server.UDPRTPAddress, s.server.UDPRTCPAddress = udpPair(t)
	}
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	s.stream = &gortsplib.ServerStream{Server: s.server, Desc: &description.Session{Medias: []*description.Media{picture, sound}}}
	if err := s.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() { s.send(ctx, t.Errorf, p, picture, sound) })
	t.Cleanup(func() {
		cancel()
		sending.Wait()
		s.stream.Close()
		s.server.Close()
	})
	scheme := "rtsp://"
	if secret != nil {
		scheme = "rtsps://"
	}
	return s, scheme + s.server.NetListener().Addr().String() + "/program"
}

// send sends the program.
func (s *rtspStation) send(ctx context.Context, complain func(string, ...any), p *program, picture, sound *description.Media) {
	pictures, err := picture.Formats[0].(*format.H264).CreateEncoder()
	if err != nil {
		complain("station: %v", err)
		return
	}
	sounds, err := sound.Formats[0].(*format.MPEG4Audio).CreateEncoder()
	if err != nil {
		complain("station: %v", err)
		return
	}
	p.send(ctx, 1, func(at time.Duration, u programUnit) {
		var packets []*rtp.Packet
		media, rate := picture, int64(90000)
		if u.au != nil {
			packets, err = pictures.Encode(u.au)
		} else {
			media, rate = sound, int64(p.aac.SampleRate)
			packets, err = sounds.Encode([][]byte{u.frame})
		}
		for _, packet := range packets {
			packet.Timestamp += uint32(int64(at) * rate / int64(time.Second))
			err = errors.Join(err, s.stream.WritePacketRTP(media, packet))
		}
		if err != nil && ctx.Err() == nil {
			complain("station: %v", err)
		}
	})
}

// udpPair returns two addresses whose ports follow each other, the first even, as RTP has them (RFC 3550 §11).
func udpPair(t *testing.T) (rtpAddress, rtcpAddress string) {
	t.Helper()
	for range 100 {
		first, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		at := first.LocalAddr().(*net.UDPAddr)
		_ = first.Close()
		if at.Port%2 == 0 {
			next := &net.UDPAddr{IP: at.IP, Port: at.Port + 1}
			return at.String(), next.String()
		}
	}
	t.Fatal("no even port")
	return "", ""
}

package webrtc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// described returns an offer of sections, each an m-line's kind, direction and formats as in "H264/90000 packetization-mode=1".
func described(sections ...[]string) string {
	text := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	for i, s := range sections {
		numbers := ""
		for n := range s[2:] {
			numbers += fmt.Sprintf(" %d", 96+n)
		}
		text += fmt.Sprintf("m=%s 9 UDP/TLS/RTP/SAVPF%s\r\na=mid:%d\r\na=%s\r\n", s[0], numbers, i, s[1])
		for n, format := range s[2:] {
			name, parameters, _ := strings.Cut(format, " ")
			text += fmt.Sprintf("a=rtpmap:%d %s\r\na=fmtp:%d %s\r\n", 96+n, name, 96+n, parameters)
		}
	}
	return text
}

func TestOfferSaysWhatGoesWhere(t *testing.T) {
	const h264 = "H264/90000 packetization-mode=1;profile-level-id="
	for name, c := range map[string]struct {
		offer    string
		out, in  bool    // of the picture
		profile  profile // that High is sent as
		soundOut bool
	}{
		"watches":       {described([]string{"video", "recvonly", h264 + "42e01f", h264 + "64001f"}, []string{"audio", "recvonly", "opus/48000/2"}), true, false, profileHigh, true},
		"loops":         {described([]string{"video", "sendrecv", "VP8/90000", h264 + "42e01f"}), true, true, profileBaseline, false},
		"two sections":  {described([]string{"video", "sendonly", "VP8/90000"}, []string{"video", "recvonly", h264 + "4d001f"}), true, true, profileMain, false},
		"high 4:4:4":    {described([]string{"video", "recvonly", h264 + "4d001f", h264 + "f4001f"}), true, false, profileHigh444, false},
		"sends alone":   {described([]string{"video", "sendonly", h264 + "42e01f"}), false, true, profile{}, false},
		"VP8 alone":     {described([]string{"video", "recvonly", "VP8/90000"}), false, false, profile{}, false},
		"whole units":   {described([]string{"video", "recvonly", "H264/90000 profile-level-id=42e01f"}), false, false, profile{}, false},
		"inactive":      {described([]string{"video", "inactive", h264 + "42e01f"}), false, false, profile{}, false},
		"other sound":   {described([]string{"audio", "recvonly", "PCMU/8000"}), false, false, profile{}, false},
		"spaces, cases": {described([]string{"video", "recvonly", "h264/90000 Profile-Level-ID=42e01f; Packetization-Mode=1"}), true, false, profileBaseline, false},
	} {
		o, err := parseOffer(c.offer)
		must(t, err)
		s, out := o.out(webrtc.RTPCodecTypeVideo)
		_, in := o.in(webrtc.RTPCodecTypeVideo)
		_, sound := o.out(webrtc.RTPCodecTypeAudio)
		if p, _ := s.best(profileHigh); out != c.out || in != c.in || p != c.profile || sound != c.soundOut {
			t.Errorf("%s: out %t as %s, in %t, sound %t", name, out, p, in, sound)
		}
	}
}

func TestOfferIsRefused(t *testing.T) {
	for name, offer := range map[string]string{
		"noise": "v=1", "too long": strings.Repeat("a", maxOffer+1),
		"data": described([]string{"application", "sendrecv"}), "many": described(make9()...),
	} {
		if _, err := parseOffer(offer); !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func make9() (all [][]string) {
	for range maxSections + 1 {
		all = append(all, []string{"audio", "recvonly"})
	}
	return all
}

// TestRefusedPeersLeaveNothing has offers refused, and more peers than may be. Nothing is opened for those of whom that is
// clear before.
func TestRefusedPeersLeaveNothing(t *testing.T) {
	s := serve(t, func(o *Options) { o.Peers = 1 })
	for name, offer := range map[string]string{
		"no picture": described([]string{"audio", "recvonly", "opus/48000/2"}), "nothing": "", "noise": "v=x",
		"no mid": strings.ReplaceAll(described([]string{"video", "recvonly", "H264/90000 packetization-mode=1;profile-level-id=42e01f"}), "a=mid:0\r\n", ""),
	} {
		if _, err := s.send(t.Context(), "film", offer, unopened(t)); !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stream := newReel(nil)
	bare := described([]string{"video", "recvonly", "H264/90000 packetization-mode=1;profile-level-id=42e01f"}) // without ICE and keys
	if _, err := s.send(t.Context(), "film", bare, opened(stream, Media{})); !errors.Is(err, ErrOffer) {
		t.Error(err)
	}
	<-stream.closed
	c := newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	offer := c.offer()
	_, err := s.send(t.Context(), "film", offer, opened(newReel(filmH264(t, "160x96", "10")), Media{}))
	must(t, err)
	if _, err := s.send(t.Context(), "film", offer, unopened(t)); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

// unopened returns an opener of what nobody is to be sent.
func unopened(t *testing.T) opener {
	t.Helper()
	return func(context.Context) (Stream, Media, error) {
		t.Error("it is opened for nobody")
		return newReel(nil), Media{}, nil
	}
}

// TestAnswerNamesConfiguredAddresses looks at candidates: nothing but the addresses that are configured, and a port of
// the range.
func TestAnswerNamesConfiguredAddresses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"shared port": func(o *Options) { o.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.7")} },
		"range": func(o *Options) {
			o.Addresses, o.Ports = []netip.Addr{netip.MustParseAddr("192.0.2.7")}, Ports{41000, 41999}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := serve(t, change), newClient(t)
			c.receives(webrtc.RTPCodecTypeVideo)
			answer, err := s.send(t.Context(), "film", c.offer(), opened(newReel(nil), Media{}))
			must(t, err)
			found := 0
			for line := range strings.Lines(answer.SDP) {
				if fields := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") {
					found++
					inRange := fields[5] >= "41000" && fields[5] <= "41999"
					if fields[4] != "192.0.2.7" || fields[7] != "host" || name == "range" && !inRange {
						t.Errorf("%s", line)
					}
				}
			}
			if found == 0 || !strings.Contains(answer.SDP, "a=ice-lite") {
				t.Errorf("%d candidates in\n%s", found, answer.SDP)
			}
		})
	}
}

// TestAnswerWithoutAPortIsNone has no port left of a range: an answer would be one that nobody can connect to.
func TestAnswerWithoutAPortIsNone(t *testing.T) {
	taken, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, taken.Close()) }()
	port := uint16(taken.LocalAddr().(*net.UDPAddr).Port)
	s, c := serve(t, func(o *Options) { o.Ports = Ports{port, port} }), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	stream := newReel(nil)
	if answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{})); !errors.Is(err, ErrPorts) {
		t.Errorf("%v\n%s", err, answer.SDP)
	}
	<-stream.closed
}

func FuzzParseOffer(f *testing.F) {
	f.Add(described([]string{"video", "sendrecv", "VP8/90000", "H264/90000 packetization-mode=1;profile-level-id=42e01f"}, []string{"audio", "recvonly", "opus/48000/2"}))
	f.Add("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOffer(text)
		if err != nil {
			if !errors.Is(err, ErrOffer) {
				t.Error(err)
			}
			return
		}
		for _, s := range o.sections {
			if p, ok := s.best(profileHigh); ok && len(s.h264) == 0 {
				t.Errorf("%s of nothing", p)
			}
		}
	})
}

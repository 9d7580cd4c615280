package webrtc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// The H.264 that browsers offer to receive, by payload type: of Chromium 156 on Debian, of Chrome with a decoder in
// hardware, of Firefox 126 and of Safari 17.
var (
	chromium = []offered{
		{102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
		{104, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"},
		{108, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		{114, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
		{116, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
		{39, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f"},
		{41, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f"},
		{43, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=f4001f"},
	}
	chrome  = append(slices.Clone(chromium), offered{112, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"})
	firefox = []offered{
		{126, "profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1"},
		{97, "profile-level-id=42e01f;level-asymmetry-allowed=1"},
		{105, "profile-level-id=42001f;level-asymmetry-allowed=1;packetization-mode=1"},
		{103, "profile-level-id=42001f;level-asymmetry-allowed=1"},
	}
	safari = []offered{
		{96, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f"},
		{98, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		{100, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=640c1f"},
		{102, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
	}
)

// offered is a format of H.264.
type offered struct {
	number int
	fmtp   string
}

// offerOf returns the offer of a browser that watches, with VP8 in front as most have it.
func offerOf(formats []offered) string {
	numbers, lines := "127", "a=rtpmap:127 VP8/90000\r\n"
	for _, f := range formats {
		numbers += fmt.Sprintf(" %d", f.number)
		lines += fmt.Sprintf("a=rtpmap:%d H264/90000\r\na=rtcp-fb:%[1]d nack\r\na=rtcp-fb:%[1]d nack pli\r\na=fmtp:%[1]d %s\r\n", f.number, f.fmtp)
	}
	return "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF " + numbers + "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n" +
		"a=ice-ufrag:DhjW\r\na=ice-pwd:qWjAewEEkYdi55wr2oUCYzPB\r\na=ice-options:trickle\r\n" +
		"a=fingerprint:sha-256 7C:70:1E:81:AC:F2:1C:5E:B3:25:6D:D0:AC:22:CA:DC:BE:B8:86:EE:44:20:F1:53:50:A1:4C:40:D5:3C:14:48\r\n" +
		"a=setup:actpass\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n" + lines
}

// TestBrowsersAreSentWhatTheyList answers what browsers offer: the picture is sent as the profile nearest to its own
// that they list, and the answer has each of their formats that can be, under its number.
func TestBrowsersAreSentWhatTheyList(t *testing.T) {
	baseline, main, high := []byte{1, 0x42, 0xc0, 31}, []byte{1, 0x4d, 0x40, 31}, []byte{1, 0x64, 0x00, 40}
	for name, c := range map[string]struct {
		formats []offered
		record  []byte // begin of the picture's avcC; nil: it is not made yet
		as      string // what it is sent as
		answer  []int  // numbers of H.264 in the answer
	}{
		"Chromium":              {chromium, baseline, "42e01f", []int{102, 108, 116, 41}},
		"Chromium, not made":    {chromium, nil, "42e01f", []int{102, 108, 116, 41}},
		"Chromium, Main":        {chromium, main, "4d001f", []int{102, 108, 116, 41}},
		"Chromium, High":        {chromium, high, "f4001f", []int{102, 108, 116, 41}},
		"Chrome, High":          {chrome, high, "64001f", []int{102, 108, 116, 41, 112}},
		"Firefox":               {firefox, baseline, "42e01f", []int{126, 105}},
		"Firefox, High":         {firefox, high, "42e01f", []int{126, 105}},
		"Safari":                {safari, baseline, "42e01f", []int{96, 98}},
		"Safari, Main":          {safari, main, "640c1f", []int{96, 98}},
		"Safari, High":          {safari, high, "640c1f", []int{96, 98}},
		"of a profile not told": {[]offered{{99, "packetization-mode=1;profile-level-id=58a01f"}, chromium[2]}, baseline, "42e01f", []int{108}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			media := Media{}
			if c.record != nil {
				media.CodecData = record(t, c.record)
			}
			answer, err := s.send(t.Context(), "film", offerOf(c.formats), opened(newReel(nil), media))
			must(t, err)
			s.mu.Lock()
			sent := s.peers[answer.Peer].picture.track.Codec().SDPFmtpLine
			s.mu.Unlock()
			if !strings.HasSuffix(sent, "profile-level-id="+c.as) {
				t.Errorf("sent as %s, not as %s", sent, c.as)
			}
			var got []int
			for line := range strings.Lines(answer.SDP) {
				var f offered
				if n, _ := fmt.Sscanf(line, "a=fmtp:%d %s", &f.number, &f.fmtp); n == 2 && strings.Contains(f.fmtp, "profile-level-id") {
					got = append(got, f.number)
					theirs := c.formats[slices.IndexFunc(c.formats, func(o offered) bool { return o.number == f.number })]
					if _, usable := parseProfile(f.fmtp); !usable || !sameProfile(f.fmtp, theirs.fmtp) || !strings.Contains(f.fmtp, "level-asymmetry-allowed=1") {
						t.Errorf("%s answers %+v", f.fmtp, theirs)
					}
				}
			}
			if !slices.Equal(got, c.answer) {
				t.Errorf("formats %v are answered, not %v, in\n%s", got, c.answer, answer.SDP)
			}
			must(t, s.HangUp(t.Context(), "film", answer.Peer))
		})
	}
}

func sameProfile(a, b string) bool {
	p, _ := parseProfile(a)
	q, _ := parseProfile(b)
	return p == q
}

// record returns an avcC that begins so. Its first parameter set tells the same: ISO/IEC 14496-15 §5.3.3.1.2.
func record(t *testing.T, head []byte) []byte {
	t.Helper()
	track, err := trackH264(filmH264(t, "160x96", "0.1")[0].Data)
	must(t, err)
	avcC := slices.Clone(track.CodecPrivate)
	copy(avcC, head)
	copy(avcC[9:], head[1:])
	if head[1] != 0x64 {
		avcC = avcC[:len(avcC)-4] // what High alone has
	}
	return avcC
}

// TestUnknownProfilesAloneAreRefused: an answer to them would be one without a picture.
func TestUnknownProfilesAloneAreRefused(t *testing.T) {
	for _, fmtp := range []string{"packetization-mode=1;profile-level-id=58a01f", "packetization-mode=1", "packetization-mode=1;profile-level-id=42e0"} {
		o, err := parseOffer(offerOf([]offered{{99, fmtp}}))
		must(t, err)
		if _, ok := o.out(webrtc.RTPCodecTypeVideo); ok {
			t.Errorf("%s is answered", fmtp)
		}
	}
}

package hlstest

import (
	"strings"
	"testing"
	"time"
)

const media = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:1
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="0/init.mp4"
#EXTINF:1.000000,
0/0.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="1/init.mp4"
#EXTINF:1.000000,
1/1.m4s
#EXTINF:0.500000,
1/2.m4s
#EXT-X-ENDLIST
`

const master = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="One",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a0"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Two",LANGUAGE="en",AUTOSELECT=YES,CHANNELS="2",URI="a1"
#EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=900,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=64x48,FRAME-RATE=23.976,AUDIO="a",CLOSED-CAPTIONS=NONE
v
`

const vtt = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:01.000\n\n00:00:01.000 --> 00:00:02.000\none\ntwo\n\n00:00:01.500 --> 00:00:03.000\nthree\n"

// change is a text that is spoilt in one place.
type change struct{ from, to string }

// requireErrors holds a parser to refuse every spoilt text, and to take the whole one.
func requireErrors(t *testing.T, parse func([]byte) error, text string, changes []change) {
	t.Helper()
	if err := parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if !strings.Contains(text, c.from) {
			t.Fatalf("%q is not in the text", c.from)
		}
		if err := parse([]byte(strings.Replace(text, c.from, c.to, 1))); err == nil {
			t.Errorf("taken with %q for %q", c.to, c.from)
		}
	}
}

func TestMediaIsReadStrictly(t *testing.T) {
	requireErrors(t, func(b []byte) error { _, err := ParseMedia(b); return err }, media, []change{
		{"#EXTM3U\n", ""},
		{"VERSION:7", "VERSION:5"},
		{"#EXT-X-VERSION:7\n", ""},
		{"TARGETDURATION:1", "TARGETDURATION:0"},
		{"#EXT-X-TARGETDURATION:1\n", "#EXT-X-TARGETDURATION:1\n#EXT-X-TARGETDURATION:1\n"},
		{"VOD", "EVENT"},
		{"1.000000,", "1.500001,"},
		{"1.000000,", "1.0,"},
		{"1.000000,", "1.000000"},
		{"1.000000,", "-1.000000,"},
		{"0.500000,", "0.000000,"},
		{"0/0.m4s\n", ""},
		{"0/0.m4s\n", "0/0.m4s\n\n"},
		{"0/0.m4s\n", "0/0.m4s\r\n"},
		{"#EXT-X-ENDLIST\n", ""},
		{"#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST"},
		{"#EXT-X-ENDLIST\n", "#EXT-X-ENDLIST\n#EXTINF:1.000000,\n1/3.m4s\n"},
		{"#EXT-X-DISCONTINUITY\n", ""},
		{"#EXT-X-MAP", "#EXT-X-GAP"},
		{"#EXT-X-ENDLIST", "#EXT-X-DISCONTINUITY\n#EXT-X-ENDLIST"},
		{"#EXT-X-MAP:URI=", "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="},
		{`"0/init.mp4"`, `0/init.mp4`},
		{`"0/init.mp4"`, `"0/init.mp4`},
		{`"0/init.mp4"`, `"0/init.mp4",URI="x"`},
		{`"0/init.mp4"`, `"0/init.mp4",X=1`},
	})
	m, err := ParseMedia([]byte(media))
	if err != nil {
		t.Fatal(err)
	}
	last := m.Segments[2]
	if len(m.Segments) != 3 || last != (Segment{"1/2.m4s", 2 * time.Second, time.Second / 2, "1/init.mp4", 1}) || m.Duration() != 2500*time.Millisecond {
		t.Errorf("%+v", m)
	}
}

func TestCheckAndAlign(t *testing.T) {
	parse := func(text string) *Media {
		m, err := ParseMedia([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := parse(media)
	if err := m.Check(3, [2]int64{1, 1}, [2]int64{5, 2}); err != nil {
		t.Error(err)
	}
	if m.Check(4, [2]int64{1, 1}, [2]int64{5, 2}) == nil || m.Check(3, [2]int64{1001, 1000}, [2]int64{5, 2}) == nil || m.Check(3, [2]int64{1, 1}, [2]int64{3, 1}) == nil {
		t.Error("another film is taken")
	}
	if err := m.Align(m, 0); err != nil {
		t.Error(err)
	}
	late := parse(strings.Replace(media, "1.000000", "1.020000", 1))
	if m.Align(late, 10*time.Millisecond) == nil || m.Align(late, 20*time.Millisecond) != nil {
		t.Error("a discontinuity 20 ms late")
	}
	for _, c := range []change{{"TARGETDURATION:1", "TARGETDURATION:2"}, {"#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"1/init.mp4\"\n", ""}} {
		if m.Align(parse(strings.Replace(media, c.from, c.to, 1)), time.Hour) == nil {
			t.Errorf("aligned with %q for %q", c.to, c.from)
		}
	}
}

func TestMasterIsReadStrictly(t *testing.T) {
	requireErrors(t, func(b []byte) error { _, err := ParseMaster(b); return err }, master, []change{
		{"#EXT-X-VERSION:7\n", ""},
		{"TYPE=AUDIO", "TYPE=VIDEO"},
		{`GROUP-ID="a",`, ""},
		{`NAME="One",`, ""},
		{`NAME="One"`, `NAME=""`},
		{`NAME="Two"`, `NAME="One"`},
		{`LANGUAGE="en"`, `LANGUAGE="de"`},
		{"en\",AUTO", "en\",DEFAULT=YES,AUTO"},
		{"YES,AUTOSELECT=YES", "YES,AUTOSELECT=NO"},
		{"DEFAULT=YES", "DEFAULT=yes"},
		{`CHANNELS="2",`, ""},
		{`CHANNELS="2"`, `CHANNELS="2",FORCED=YES`},
		{`,URI="a1"`, ""},
		{`"One",`, `"One"`},
		{"BANDWIDTH=1000", "BANDWIDTH=800"},
		{"BANDWIDTH=1000", "BANDWIDTH=x"},
		{"avc1.64001f", "avc1"},
		{"mp4a.40.2", "avc1.64001f"},
		{"64x48", "64"},
		{"23.976", "23.9760"},
		{`AUDIO="a"`, `AUDIO="b"`},
		{"CLOSED-CAPTIONS=NONE", "CLOSED-CAPTIONS=\"c\""},
		{"\nv\n", "\n"},
		{"\nv\n", "\n#v\n"},
		{`AUDIO="a"`, `AUDIO="a",SUBTITLES="t"`},
		{",FRAME-RATE", ",,FRAME-RATE"},
		{"NONE\n", "NONE,\n"},
	})
}

func TestVTTIsReadStrictly(t *testing.T) {
	requireErrors(t, func(b []byte) error { _, err := ParseVTT(b); return err }, vtt, []change{
		{"WEBVTT", "WEBVTT x"},
		{"X-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:01.000\n", ""},
		{"MPEGTS:90000", "MPEGTS:8589934592"},
		{"LOCAL:00", "LOCAL:0"},
		{"00:00:01.000 -->", "00:61:01.000 -->"},
		{"00:00:02.000", "00:00:01.000"},
		{"00:00:01.500", "00:00:00.500"},
		{"two", "\ntwo"},
		{"two", "-->"},
		{"three\n", "three"},
		{"three\n", ""},
		{"one", "o\r"},
		{"00:00:03.000", "00:00:03.000 align:left"},
	})
	v, err := ParseVTT([]byte(vtt))
	if err != nil || len(v.Cues) != 2 || v.Cues[0] != (Cue{time.Second, 2 * time.Second, "one\ntwo"}) || v.MPEGTS != 90000 || v.Local != time.Second {
		t.Errorf("%+v, %v", v, err)
	}
}

// FuzzParsers holds the parsers to answer whatever a server sends.
func FuzzParsers(f *testing.F) {
	f.Add([]byte(media))
	f.Add([]byte(master))
	f.Add([]byte(vtt))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMedia(b); err == nil && (len(m.Segments) == 0 || m.Duration() <= 0) {
			t.Errorf("%+v", m)
		}
		if m, err := ParseMaster(b); err == nil && len(m.Variants) == 0 {
			t.Errorf("%+v", m)
		}
		if v, err := ParseVTT(b); err == nil && v.Local < 0 {
			t.Errorf("%+v", v)
		}
	})
}

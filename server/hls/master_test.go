package hls

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func master() Master {
	return Master{
		Video: wire.VideoInfo{Rate: [2]int{24000, 1001}, Size: [2]int{1440, 1080}, Aspect: [2]int{4, 3}, MaxRate: 8000},
		Codec: "avc1.640028", Average: 3000,
		Audio: []Track{
			{wire.AudioInfo{Language: "ger", Channels: 2, BitRate: 128000}, "mp4a.40.2"},
			{wire.AudioInfo{Language: "eng", Title: "Surround \"5.1\"\n#EXT", Channels: 6, BitRate: 384000, Default: true}, "mp4a.40.2"},
			{wire.AudioInfo{Language: "eng", Title: "Surround '5.1' #EXT", Channels: 2, BitRate: 64000}, "mp4a.40.5"},
		},
		Text: []wire.TextInfo{
			{Language: "fre", Bitmap: true, Default: true},
			{Language: "fre", Forced: true},
			{Language: "fre"},
			{Language: "nonsense!", Title: " \u202e "},
		},
	}
}

func TestMaster(t *testing.T) {
	got, err := master().Playlist("?cap=abc")
	if err != nil {
		t.Fatal(err)
	}
	want := `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio 1 (de)",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/0/index.m3u8?cap=abc"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Surround '5.1' #EXT",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="audio/1/index.m3u8?cap=abc"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Surround '5.1' #EXT (2)",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,CHANNELS="2",URI="audio/2/index.m3u8?cap=abc"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="Subtitles 2 (fr)",LANGUAGE="fr",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI="text/1/index.m3u8?cap=abc"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="Subtitles 3 (fr)",LANGUAGE="fr",DEFAULT=NO,AUTOSELECT=YES,URI="text/2/index.m3u8?cap=abc"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="Subtitles 4",DEFAULT=NO,AUTOSELECT=YES,URI="text/3/index.m3u8?cap=abc"
#EXT-X-STREAM-INF:BANDWIDTH=8404000,AVERAGE-BANDWIDTH=3404000,CODECS="avc1.640028,mp4a.40.2,mp4a.40.5",RESOLUTION=1920x1080,FRAME-RATE=23.976,AUDIO="audio",SUBTITLES="text",CLOSED-CAPTIONS=NONE
video/index.m3u8?cap=abc
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	if _, err := hlstest.ParseMaster(got); err != nil {
		t.Error(err)
	}
}

func TestMasterOfAPictureAlone(t *testing.T) {
	m := Master{Video: wire.VideoInfo{Rate: [2]int{0, 1}, Size: [2]int{640, 360}, MaxRate: 100}, Codec: "avc1.42c01e"}
	m.Text = []wire.TextInfo{{Bitmap: true}}
	got, err := m.Playlist("")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := hlstest.ParseMaster(got)
	if err != nil {
		t.Fatal(err)
	}
	v := parsed.Variants[0]
	if v.FrameRate != "" || v.Audio != "" || v.Subtitles != "" || v.AverageBandwidth != 0 || v.Resolution != "640x360" || len(parsed.Renditions) != 0 {
		t.Errorf("got\n%s", got)
	}
}

func TestMasterRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Master){
		"no size":         func(m *Master) { m.Video.Size[1] = 0 },
		"no rate limit":   func(m *Master) { m.Video.MaxRate = 0 },
		"no rate":         func(m *Master) { m.Video.Rate = [2]int{} },
		"no codec":        func(m *Master) { m.Codec = "" },
		"codec of a line": func(m *Master) { m.Codec = "avc1\"\n#" },
		"codec of sound":  func(m *Master) { m.Audio[1].Codec = "mp4a,40" },
		"no channels":     func(m *Master) { m.Audio[2].Channels = 0 },
		"negative rate":   func(m *Master) { m.Audio[2].BitRate = -1 },
	} {
		m := master()
		spoil(&m)
		if _, err := m.Playlist(""); !errors.Is(err, ErrFilm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzMaster holds titles and languages of any file to a playlist that a strict reader takes.
func FuzzMaster(f *testing.F) {
	f.Add("Director's cut", "eng", "Forced", "ger")
	f.Add("\"\r\n#EXT-X-ENDLIST", "en\"", strings.Repeat("é", 300), "zh-Hant-TW")
	f.Add("\xff\x00", "qaa", "e\u0301", "i-klingon")
	f.Fuzz(func(t *testing.T, title, language, other, foreign string) {
		m := master()
		m.Audio[0].Title, m.Audio[0].Language, m.Audio[2].Title, m.Audio[2].Language = title, language, other, foreign
		m.Text[1].Title, m.Text[1].Language, m.Text[2].Title, m.Text[2].Language = other, language, title, foreign
		got, err := m.Playlist("")
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := hlstest.ParseMaster(got)
		if err != nil {
			t.Fatalf("%v in\n%s", err, got)
		}
		if len(parsed.Renditions) != 6 || len(parsed.Variants) != 1 {
			t.Errorf("%d renditions in\n%s", len(parsed.Renditions), got)
		}
	})
}

func TestTargetDurationHoldsSound(t *testing.T) {
	// Segments of 1.4 s with frames of a quarter of a second: some of sound round to 2 s.
	opened := &wire.Opened{Duration: time.Minute, Segment: wire.Segment{Ticks: 14, Frames: 14}, Video: wire.VideoInfo{TimeScale: 10, Rate: [2]int{10, 1}}}
	timeline := newTimeline(t, opened)
	sound, err := NewSound(timeline, wire.AudioInfo{Rate: 8000, FrameSamples: 2048, Frames: 234})
	if err != nil {
		t.Fatal(err)
	}
	var targets []time.Duration
	for _, playlist := range []func([]Change, string) ([]byte, error){timeline.Playlist, timeline.TextPlaylist, sound.Playlist} {
		b, err := playlist([]Change{{}}, "")
		if err != nil {
			t.Fatal(err)
		}
		media, err := hlstest.ParseMedia(b)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, media.Target)
	}
	if targets[0] != 2*time.Second || targets[1] != targets[0] || targets[2] != targets[0] {
		t.Errorf("target durations %v", targets)
	}
}

package hls

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestCuesAreRepeatedWhole(t *testing.T) {
	cues := []wire.Cue{
		{Start: 9 * time.Second, End: 11500 * time.Millisecond, Text: "across"},
		{Start: 8 * time.Second, End: 30 * time.Second, Text: "<i>long</i>\r\n\r\n- two lines"},
		{Start: 0, End: 10 * time.Second, Text: "just over"},
		{Start: 11 * time.Second, End: 12 * time.Second, Text: "next"},
		{Start: 10 * time.Second, End: 10 * time.Second, Text: "no length"},
		{Start: 10 * time.Second, End: 11 * time.Second, Text: " \n\t\n"},
		{Start: 10*time.Second + 100, End: 10*time.Second + 200, Text: "a blink --> more\x00"},
	}
	want := `WEBVTT
X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:10.000

00:00:08.000 --> 00:00:30.000
<i>long</i>
- two lines

00:00:09.000 --> 00:00:11.500
across

00:00:10.000 --> 00:00:10.001
a blink --&gt; more` + "\uFFFD\n"
	if got := string(WebVTT(cues, 10*time.Second, 11*time.Second)); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestCuesAreReadBack reads what was written.
func TestCuesAreReadBack(t *testing.T) {
	t.Parallel()
	want := []wire.Cue{
		{Start: 8 * time.Second, End: 30 * time.Second, Text: "<i>long</i>\n- two lines"},
		{Start: 9 * time.Second, End: 11500 * time.Millisecond, Text: "5 &lt; 6 --&gt; more"},
	}
	for n := range len(want) + 1 {
		if got, err := Cues(WebVTT(want[:n], 10*time.Second, 11*time.Second)); err != nil || !slices.Equal(got, want[:n]) {
			t.Errorf("%v\n%+v", err, got)
		}
	}
	for _, bad := range []string{"", "WEBVTT", "WEBVTT\nX\n\nnone\n", "WEBVTT\nX\n\n00:00:00.000 --> \nx\n", "WEBVTT\nX\n\n99:00:00.000 --> 99:00:01.000\nx\n"} {
		if got, err := Cues([]byte(bad)); !errors.Is(err, ErrText) {
			t.Errorf("%q: %v %+v", bad, err, got)
		}
	}
}

func TestTimeMapIsExact(t *testing.T) {
	timeline := newTimeline(t, film(rates[0], 24*time.Hour-time.Second))
	for _, k := range []int{0, 1, 2, 999, 86000} {
		begin, end := timeline.Span(k)
		got, err := hlstest.ParseVTT(WebVTT(nil, begin, end))
		if err != nil {
			t.Fatal(err)
		}
		if int64(got.Local/time.Millisecond)*90 != got.MPEGTS || begin-got.Local >= time.Millisecond || begin < got.Local {
			t.Errorf("segment %d at %s: %+v", k, begin, got)
		}
		if k > 0 && got.MPEGTS == 0 {
			t.Errorf("segment %d maps 0 to 0", k)
		}
	}
}

// FuzzWebVTT holds any cue to a segment that reads as at most that one cue.
func FuzzWebVTT(f *testing.F) {
	f.Add("text", int64(time.Second), int64(2*time.Second), int64(0))
	f.Add("a\n\nb --> c\r\rWEBVTT", int64(-5), int64(1)<<62, int64(time.Hour))
	f.Add(strings.Repeat("ä", maxCue), int64(0), int64(1), int64(0))
	f.Fuzz(func(t *testing.T, text string, start, end, begin int64) {
		begin = max(0, min(begin, int64(MaxDuration)))
		b := WebVTT([]wire.Cue{{Start: time.Duration(start), End: time.Duration(end), Text: text}}, time.Duration(begin), time.Duration(begin)+time.Second)
		got, err := hlstest.ParseVTT(b)
		if err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		if back, err := Cues(b); end < int64(MaxDuration) && (err != nil || len(back) != len(got.Cues)) {
			t.Errorf("%v, %d cues of %d are read back of\n%s", err, len(back), len(got.Cues), b)
		}
		if len(got.Cues) > 1 || len(got.Cues) == 1 && len(got.Cues[0].Text) > 6*maxCue {
			t.Errorf("%d cues in\n%s", len(got.Cues), b)
		}
	})
}

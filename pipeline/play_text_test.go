package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const subRip = `1
00:00:00,500 --> 00:00:01,500
first <i>slanted</i> & <font color="red">red</font>

2
00:00:04,000 --> 00:00:09,000
a < b
second line

3
00:00:08,000 --> 00:00:08,700
{\an8}overlaps

`

func playText(t testing.TB, f Film, p PlayPlan, track, segment int) *collector {
	t.Helper()
	c := &collector{}
	r, err := PlayText(f, p, track, segment, c, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPlayText reads subtitles of several kinds, from the beginning and from the
// middle, where a cue is being shown.
func TestPlayText(t *testing.T) {
	t.Parallel()
	srt := filepath.Join(t.TempDir(), "in.srt")
	if err := os.WriteFile(srt, []byte(subRip), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		codec, out string
		first      string
		second     time.Duration // the end of the second cue; those of MP4 do not overlap
	}{
		{"srt", "in.mkv", "first <i>slanted</i> &amp; red", 9 * time.Second},
		{"ass", "in.mkv", "first slanted &amp; red", 9 * time.Second},
		{"mov_text", "in.mp4", "first slanted &amp; red", 8 * time.Second},
	} {
		t.Run(c.codec, func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=12", "-i", srt, "-map", "0", "-map", "1",
				"-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:s", c.codec, c.out)
			f := opened(t, in)
			p := playPlan(t, f, playSpec())
			if len(p.Text) != 1 || p.Text[0].Bitmap {
				t.Fatalf("texts: %+v", p.Text)
			}
			whole := playText(t, f, p, 0, 0)
			want := []Cue{
				{500 * time.Millisecond, 1500 * time.Millisecond, c.first},
				{4 * time.Second, c.second, "a &lt; b\nsecond line"},
				{8 * time.Second, 8700 * time.Millisecond, "overlaps"},
			}
			if !slices.EqualFunc(whole.cues, want, sameCue) {
				t.Errorf("cues %+v", whole.cues)
			}
			if whole.reached != p.Timeline.End {
				t.Errorf("reached %s of %s", whole.reached, p.Timeline.End)
			}
			shown := slices.DeleteFunc(slices.Clone(want), func(c Cue) bool { return c.End <= p.Timeline.Begin(8) })
			if part := playText(t, f, p, 0, 8); !slices.EqualFunc(part.cues, shown, sameCue) {
				t.Errorf("from the middle: cues %+v", part.cues)
			}
		})
	}
}

// sameCue compares cues; containers round to hundredths.
func sameCue(a, b Cue) bool {
	return (a.Start-b.Start).Abs() <= 10*time.Millisecond && (a.End-b.End).Abs() <= 10*time.Millisecond && a.Text == b.Text
}

func TestVTT(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                            "plain",
		"<b>bold</b> <I>i</I>":             "<b>bold</b> <i>i</i>",
		"1 < 2 > 0 & 3":                    "1 &lt; 2 &gt; 0 &amp; 3",
		"&lt;x&gt; &amp;&quot;":            `&lt;x&gt; &amp;"`,
		"a\r\n\r\n\nb":                     "a\nb",
		"a --> b":                          "a --&gt; b",
		"<span foreground=\"#f\">x</span>": "x",
		"<script>x</script>":               "&lt;script&gt;x&lt;/script&gt;",
		"bad \xff":                         "bad \uFFFD",
		"<i":                               "&lt;i",
	} {
		if got := vtt(in); got != want {
			t.Errorf("vtt(%q) = %q, want %q", in, got, want)
		}
	}
}

// noted keeps the newest cue of a run.
type noted struct{ cue Cue }

func (n *noted) Init(StreamInit) error       { return nil }
func (n *noted) Packet(Packet) error         { return nil }
func (n *noted) Reached(time.Duration) error { return nil }
func (n *noted) Cue(c Cue) error {
	n.cue = c
	return nil
}

// TestTextOfMebibytes has a film's cue be nothing but beginnings of tags, for the end of each of which all the rest would
// be looked through: on a thread of GStreamer's, for hours. What is handed over is to fit into a message, too.
func TestTextOfMebibytes(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"<", "<b ", `{\`, "&", "ä"} {
		var out noted
		l := &textLane{timeline: Timeline{End: time.Hour}, out: &out}
		if err := l.buffer(playBuffer{data: []byte(strings.Repeat(piece, 4<<20)), duration: time.Second, timed: true}); err != nil {
			t.Fatal(err)
		}
		if n := len(out.cue.Text); n == 0 || n > 5*maxText {
			t.Errorf("of %q come %d bytes", piece, n)
		}
	}
}

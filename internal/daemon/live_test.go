package daemon

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFollow follows a playlist that goes on by a part every 200 ms.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const head = "#EXTM3U\n#EXT-X-VERSION:10\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.500\n" +
			"#EXT-X-PART-INF:PART-TARGET=0.200\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:1.0,\nold.mp4\n"
		part := func(name string) string { return "#EXT-X-PART:DURATION=0.200,URI=\"" + name + "\"\n" }
		texts := map[string]string{
			"/s/video.m3u8":                        head,
			"/s/video.m3u8?_HLS_msn=5&_HLS_part=0": head + part("before") + "#EXTINF:0.2,\nseg4.mp4\n" + part("a"),
			"/s/video.m3u8?_HLS_msn=5&_HLS_part=1": head + part("before") + "#EXTINF:0.2,\nseg4.mp4\n" + part("a") + part("b"),
			"/s/video.m3u8?_HLS_msn=5&_HLS_part=2": head + part("before") + "#EXTINF:0.2,\nseg4.mp4\n" + part("a") + part("b") + "#EXTINF:0.4,\nseg5.mp4\n" + part("c"),
			"/s/video.m3u8?_HLS_msn=6&_HLS_part=1": head + part("before") + "#EXTINF:0.2,\nseg4.mp4\n" + part("a") + part("b") + "#EXTINF:0.4,\nseg5.mp4\n" + part("c") + part("d"),
		}
		begun := time.Now()
		s, err := Follow(t.Context(), func(_ context.Context, path string) ([]byte, error) {
			if text, is := texts[path]; is {
				if strings.Contains(path, "?") {
					<-time.After(200 * time.Millisecond)
				}
				return []byte(text), nil
			}
			return []byte(strings.TrimPrefix(path, "/s/") + " "), nil
		}, "/s/video.m3u8", 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(s.MP4()); got != "init.mp4 a b c " || s.HoldBack != 500*time.Millisecond || s.Longest() != 200*time.Millisecond {
			t.Errorf("%q, %s behind, %s long", got, s.HoldBack, s.Longest())
		}
		const ms = time.Millisecond
		for at, want := range map[time.Duration]time.Duration{0: 200 * ms, 199 * ms: 200 * ms, 200 * ms: 400 * ms, 599 * ms: 600 * ms} {
			if there := s.There(at); there.Sub(begun) != want {
				t.Errorf("what begins at %s is there after %s", at, there.Sub(begun))
			}
		}
		if shown := s.Shown(50 * time.Millisecond); shown.Sub(begun) != 600*time.Millisecond { // with the third part
			t.Errorf("it is shown after %s", shown.Sub(begun))
		}
		if shown, there := s.Shown(400*time.Millisecond), s.There(600*time.Millisecond); !shown.IsZero() || !there.IsZero() {
			t.Error("it is shown with a part that has not come")
		}
	})
}

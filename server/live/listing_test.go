package live

import (
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

// listed returns a playlist of segments of a second, the last of them in parts.
func listed(t *testing.T, segments int) []byte {
	t.Helper()
	hold, skip := 500*time.Millisecond, 6*time.Second
	media := &playlist.Media{
		Version: 10, TargetDuration: 1, MediaSequence: 7,
		ServerControl: &playlist.MediaServerControl{CanBlockReload: true, PartHoldBack: &hold, CanSkipUntil: &skip},
		PartInf:       &playlist.MediaPartInf{PartTarget: 200 * time.Millisecond},
		Map:           &playlist.MediaMap{URI: "init.mp4"},
		PreloadHint:   &playlist.MediaPreloadHint{URI: "hint.mp4"},
	}
	for n := range segments {
		media.Segments = append(media.Segments, &playlist.MediaSegment{Duration: time.Second, URI: "seg" + strconv.Itoa(n) + ".mp4"})
	}
	media.Parts = []*playlist.MediaPart{{Duration: 200 * time.Millisecond, URI: "part.mp4", Independent: true}}
	text, err := media.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDelta leaves segments out of a playlist that a player knows, where it asks for that.
func TestDelta(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		segments      int
		skip          string
		skipped, left int
	}{
		{60, "YES", 54, 6}, {60, "v2", 54, 6}, {7, "YES", 1, 6}, {6, "YES", 0, 6}, {60, "", 0, 60}, {60, "NO", 0, 60},
	} {
		l := newListing("video1_stream.m3u8", &sync.Mutex{})
		if _, err := l.take(listed(t, row.segments)); err != nil {
			t.Fatal(err)
		}
		text, err := l.playlist(t.Context(), url.Values{"_HLS_skip": {row.skip}})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := playlist.Unmarshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := parsed.(*playlist.Media)
		skipped := 0
		if got.Skip != nil {
			skipped = got.Skip.SkippedSegments
		}
		if skipped != row.skipped || len(got.Segments) != row.left || (got.Map == nil) != (skipped > 0) {
			t.Errorf("of %d segments %d are left out, %d listed: %s", row.segments, skipped, len(got.Segments), text)
		}
		if last := got.Segments[len(got.Segments)-1]; got.MediaSequence != 7 || last.URI != "seg"+strconv.Itoa(row.segments-1)+".mp4" || got.PreloadHint == nil || len(got.Parts) != 1 {
			t.Errorf("%s", text)
		}
	}
}

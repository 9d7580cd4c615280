package pipeline

import (
	"strings"
	"testing"
)

// TestTagsIntoMP4 holds the list of tags that come into MP4 against files: each of
// them does, and one that is not in it is told as lost.
func TestTagsIntoMP4(t *testing.T) {
	t.Parallel()
	for _, dates := range [][]string{{"DATE"}, {"DATE_RELEASED"}} { // of which MP4 has one
		args := []string{"-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=0.3", "-c:v", "mpeg4", "-metadata", "FILM_STOCK=nitrate"}
		want := map[string]string{}
		for _, name := range inMP4 {
			want[name] = "a " + strings.ToLower(name)
			if strings.HasPrefix(name, "DATE") {
				want[name] = "1999-"
			}
			if strings.HasPrefix(name, "DATE") && name != dates[0] {
				delete(want, name)
				continue
			}
			args = append(args, "-metadata", name+"="+strings.Replace(want[name], "-", "-11-12", 1))
		}
		s := spec()
		s.Container = MP4
		p, _, out := transcode(t, ffmpeg(t, append(args, "in.mkv")...), s)
		var values []string
		for _, v := range describeFile(t, out).Format.Tags {
			values = append(values, v)
		}
		all := strings.Join(values, "\n")
		for name, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s is not in\n%s", name, all)
			}
		}
		if lost := strings.Join(p.Lost, "\n"); strings.Contains(all, "nitrate") || lost != "tags: GStreamer's mp4 muxer does not write FILM_STOCK" {
			t.Errorf("lost %q of\n%s", lost, all)
		}
	}
}

//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestOpus has a film's sound delivered as Opus, and hears it in place. ffmpeg, which
// reads every rendition, is the player: it takes Opus in HLS.
func TestOpus(t *testing.T) {
	d := start(t, nil)
	f := film{name: "film.mkv", rate: testmedia.Ratio{Num: 24000, Den: 1001}, frames: 6 * 24, args: "-c:v libx264 -preset ultrafast -g 48 -c:a aac"}
	f.draw(t, d.films)
	s := d.play(f.name, order{"output": order{"sound": "opus"}})
	url := d.master(s)
	p := d.fetchAll(s, nil)
	p.continuous(t)
	pictures := read(t, url, s.size())
	f.checkPictures(t, s, pictures)
	f.inSync(t, flashes(pictures), beeps(t, url, 0), 0)
	got := string(tool(t, nil, "ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "stream=codec_name,sample_rate,channels", "-of", "csv=p=0", url))
	if first, _, _ := strings.Cut(got, "\n"); first != "opus,48000,2" { // it lists programmes, too
		t.Errorf("the sound is %q", got)
	}
}

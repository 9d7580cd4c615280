package pipeline

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/models"
)

// BenchmarkLiveLatency measures how long a picture of 640 × 360 takes from being
// written to the pipe to its packet, upscaled by the embedded model, in streams of 25
// pictures a second that come in real time. Of a transport stream a picture is whole
// when the next one begins: that is within. Each round takes six seconds; use
// -benchtime 1x.
func BenchmarkLiveLatency(b *testing.B) {
	in := liveFile(b, testmedia.Spec{Width: 640, Height: 360, Frames: 150}, x264Live+"-c:a aac in.mkv")
	head, blocks := matroska(b, in)
	var mkv [][]byte
	for _, block := range blocks {
		if data := block.cluster(); block.track == 1 {
			mkv = append(mkv, data)
		} else if len(mkv) > 0 {
			mkv[len(mkv)-1] = append(mkv[len(mkv)-1], data...)
		}
	}
	mkv[0] = append(head, mkv[0]...)
	b.Run("mkv", func(b *testing.B) { liveLatency(b, mkv) })
	b.Run("ts", func(b *testing.B) { liveLatency(b, tsPictures(b, in)) })
}

// tsPictures returns a film as a transport stream, cut where a picture begins: ISO/IEC
// 13818-1 §2.4.3.2, payload_unit_start_indicator, and §2.4.3.6, stream_id.
func tsPictures(b *testing.B, path string) (parts [][]byte) {
	b.Helper()
	data := tool(b, nil, "ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-f", "mpegts", "-muxdelay", "0", "-")
	for begin, at := 0, 0; ; at += tsPacket {
		if at+tsPacket > len(data) {
			return append(parts, data[begin:])
		}
		packet := data[at : at+tsPacket]
		if packet[1]&0x40 != 0 && bytes.Contains(packet[:64], []byte{0, 0, 1, 0xe0}) && at > begin {
			if len(parts) > 0 || begin > 0 {
				parts = append(parts, data[begin:at])
				begin = at
			} else {
				begin, parts = at, [][]byte{data[:at]}
			}
		}
	}
}

// liveLatency writes parts of a stream, a picture in each, 25 a second.
func liveLatency(b *testing.B, parts [][]byte) {
	b.Helper()
	for range b.N {
		f := newFeed(b)
		s := liveSpec()
		s.Model, s.Quality, s.Threads = models.Default, -1, ShareCores(2)
		h := f.hear(s)
		begin := time.Now()
		var wrote []time.Time
		for i, part := range parts {
			awaitTime(begin.Add(time.Duration(i) * time.Second / 25))
			wrote = append(wrote, time.Now())
			f.write(part)
		}
		f.close()
		if err := h.end(); err != nil {
			b.Fatal(err)
		}
		offset := len(wrote) - 150 // of a transport stream the tables come first
		var all []float64
		for i, n := range h.eye.numbers(b, 2) {
			if n >= 25 { // the upscaler is there
				all = append(all, h.eye.times[i].Sub(wrote[n+offset]).Seconds()*1e3)
			}
		}
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], "ms/median")
		b.ReportMetric(all[len(all)*95/100], "ms/p95")
		b.ReportMetric(float64(h.live.Stats().Dropped), "dropped")
	}
}

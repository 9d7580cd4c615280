package fmp4_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/fmp4/fmp4test"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// shifted returns packets as they lie ticks later.
func shifted(packets []wire.Packet, ticks int64) []wire.Packet {
	later := make([]wire.Packet, len(packets))
	for i, p := range packets {
		p.PTS, p.DTS = p.PTS+ticks, p.DTS+ticks
		later[i] = p
	}
	return later
}

// write writes an init segment and fragments, one for each list, into a file.
func write(t *testing.T, init []byte, segments [][]wire.Packet) string {
	t.Helper()
	out := bytes.Clone(init)
	for i, packets := range segments {
		fragment, err := fmp4.Fragment(uint32(i+1), packets[0].DTS, packets)
		if err != nil {
			t.Fatalf("segment %d: %v", i, err)
		}
		out = append(out, fragment...)
	}
	path := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run returns what a tool prints; anything on stderr is a failure.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%.2000s", name, err, stderr.Bytes())
	}
	return string(out)
}

// requirePackets holds what ffprobe reads of a file against what was written, and decodes it.
func requirePackets(t *testing.T, path string, segments [][]wire.Packet) {
	t.Helper()
	requireDurations(t, path, segments)
	got := strings.Fields(run(t, "ffprobe", "-v", "warning", "-show_entries", "packet=pts,dts,size,flags", "-of", "csv=p=0", path))
	n := 0
	for i, segment := range segments {
		for j, p := range segment {
			flags := "__"
			if p.Key {
				flags = "K_"
			}
			want := fmt.Sprintf("%d,%d,%d,%s", p.PTS, p.DTS, len(p.Data), flags)
			if n >= len(got) || got[n] != want {
				t.Fatalf("segment %d, packet %d: got %q, want %s", i, j, got[min(n, len(got)-1)], want)
			}
			n++
		}
	}
	if n != len(got) {
		t.Errorf("ffprobe reads %d packets, %d were written", len(got), n)
	}
	run(t, "ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-i", path, "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-")
}

// requireDurations reads the samples' lengths from the boxes; ffprobe tells none of fragments.
func requireDurations(t *testing.T, path string, segments [][]wire.Packet) {
	t.Helper()
	file, err := mp4.ReadMP4File(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Segments) != len(segments) {
		t.Fatalf("%d segments were written, %d are read", len(segments), len(file.Segments))
	}
	for i, segment := range segments {
		samples, err := file.Segments[i].Fragments[0].GetFullSamples(file.Moov.Mvex.Trex)
		if err != nil || len(samples) != len(segment) {
			t.Fatalf("segment %d has %d samples of %d: %v", i, len(samples), len(segment), err)
		}
		for j, p := range segment {
			want := p.Duration
			if j+1 < len(segment) {
				want = segment[j+1].DTS - p.DTS
			}
			if int64(samples[j].Dur) != want || !bytes.Equal(samples[j].Data, p.Data) {
				t.Fatalf("segment %d, packet %d lasts %d, want %d, or its data differ", i, j, samples[j].Dur, want)
			}
		}
	}
}

func TestPlayersReadEveryRateExactly(t *testing.T) {
	for _, rate := range [][2]int{{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {50, 1}, {60000, 1001}} {
		t.Run(fmt.Sprintf("%d:%d", rate[0], rate[1]), func(t *testing.T) {
			gop := (rate[0] + rate[1] - 1) / rate[1]
			init, packets := fmp4test.Video(t, rate, gop, 3*gop-5)
			segments := [][]wire.Packet{packets[:gop], packets[gop : 2*gop], packets[2*gop:]}
			head, err := fmp4.VideoInit(init, int64(rate[0]))
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, head, segments)
			requirePackets(t, path, segments)
			got := run(t, "ffprobe", "-v", "warning", "-of", "default=nk=1:nw=1", "-show_entries",
				"stream=codec_tag_string,width,height,sample_aspect_ratio,color_space,color_transfer,color_primaries,color_range,r_frame_rate,time_base", path)
			want := fmt.Sprintf("avc1\n64\n48\n1:1\ntv\nbt709\nbt709\nbt709\n%d/%d\n1/%d\n", rate[0], rate[1], rate[0])
			if got != want {
				t.Errorf("ffprobe says\n%swant\n%s", got, want)
			}
		})
	}
}

// TestNoDriftAfterHours plays the same second 5000 times at 24000/1001: every tick must be the one
// that integers give.
func TestNoDriftAfterHours(t *testing.T) {
	init, packets := fmp4test.Video(t, [2]int{24000, 1001}, 24, 24)
	head, err := fmp4.VideoInit(init, 24000)
	if err != nil {
		t.Fatal(err)
	}
	segments := make([][]wire.Packet, 5000)
	for k := range segments {
		segments[k] = shifted(packets, int64(k)*24*1001)
	}
	requirePackets(t, write(t, head, segments), segments)
}

func TestVariableRateAndBFrames(t *testing.T) {
	init, packets := fmp4test.Video(t, [2]int{25, 1}, 25, 25, "-video_track_timescale", "90000")
	at := int64(0)
	for i := range packets {
		packets[i].PTS, packets[i].DTS = at, at
		packets[i].Duration = 1500 + int64(i*i%7)*911
		at += packets[i].Duration
	}
	segments := [][]wire.Packet{packets, shifted(packets, at+40)} // a gap between segments stays one
	segments[0][24].Duration = 777
	head, err := fmp4.VideoInit(init, 90000)
	if err != nil {
		t.Fatal(err)
	}
	requirePackets(t, write(t, head, segments), segments)

	init, packets = fmp4test.Video(t, [2]int{25, 1}, 25, 50, "-bf", "2")
	reordered := false
	for _, p := range packets {
		reordered = reordered || p.PTS != p.DTS+packets[0].PTS
	}
	if !reordered {
		t.Fatal("the clip has no B frames")
	}
	if head, err = fmp4.VideoInit(init, 25); err != nil {
		t.Fatal(err)
	}
	segments = [][]wire.Packet{packets[:25], packets[25:]}
	requirePackets(t, write(t, head, segments), segments)
}

func TestSoundIsReadExactly(t *testing.T) {
	for _, rate := range []int{44100, 48000, 96000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			init, packets := fmp4test.Audio(t, rate, 200)
			head, err := fmp4.AudioInit(init, wire.AudioInfo{Rate: rate, Channels: 2, BitRate: 64000})
			if err != nil {
				t.Fatal(err)
			}
			packets = shifted(packets, 700)
			segments := [][]wire.Packet{packets[:43], packets[43:90], packets[90:]}
			path := write(t, head, segments)
			requirePackets(t, path, segments)
			got := run(t, "ffprobe", "-v", "warning", "-of", "csv=p=0", "-show_entries", "stream=codec_name,profile,sample_rate,channels,start_pts", path)
			if want := fmt.Sprintf("aac,LC,%d,2,700\n", rate); got != want {
				t.Errorf("ffprobe says %swant %s", got, want)
			}
		})
	}
}

// TestFragmentIsCompact reads the boxes: what is the same for all samples is written once.
func TestFragmentIsCompact(t *testing.T) {
	packets := make([]wire.Packet, 24)
	for i := range packets {
		packets[i] = wire.Packet{Key: i == 0, PTS: 1<<33 + int64(i)*1001, DTS: 1<<33 + int64(i)*1001, Duration: 1001, Data: []byte{byte(i)}}
	}
	out, err := fmp4.Fragment(7, 1<<33, packets)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.DecodeFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	fragment := file.Segments[0].Fragments[0]
	traf := fragment.Moof.Traf
	if fragment.Moof.Mfhd.SequenceNumber != 7 || traf.Tfhd.TrackID != 1 || !traf.Tfhd.DefaultBaseIfMoof() ||
		traf.Tfdt.Version != 1 || traf.Tfdt.BaseMediaDecodeTime() != 1<<33 {
		t.Errorf("mfhd %+v, tfhd %+v, tfdt %+v", fragment.Moof.Mfhd, traf.Tfhd, traf.Tfdt)
	}
	if traf.Trun.HasSampleDuration() || traf.Trun.HasSampleFlags() || traf.Trun.HasSampleCompositionTimeOffset() {
		t.Errorf("trun repeats what is the same: flags %#x", traf.Trun.Flags)
	}
	if first, ok := traf.Trun.FirstSampleFlags(); !ok || first != mp4.SyncSampleFlags || traf.Tfhd.DefaultSampleFlags != 0x01010000 {
		t.Errorf("flags %#x, then %#x", first, traf.Tfhd.DefaultSampleFlags)
	}
	if overhead := len(out) - 24; overhead > 150+4*24 {
		t.Errorf("%d bytes of boxes for 24 samples", overhead)
	}
}

func TestFragmentRefuses(t *testing.T) {
	good := func() []wire.Packet {
		return []wire.Packet{
			{Key: true, PTS: 100, DTS: 100, Duration: 10, Data: []byte{1}},
			{PTS: 110, DTS: 110, Duration: 10, Data: []byte{2}},
		}
	}
	if _, err := fmp4.Fragment(1, 100, good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(p []wire.Packet) []wire.Packet{
		"no packets":           func([]wire.Packet) []wire.Packet { return nil },
		"another base":         func(p []wire.Packet) []wire.Packet { p[0].DTS = 99; return p },
		"no key frame":         func(p []wire.Packet) []wire.Packet { p[0].Key = false; return p },
		"no data":              func(p []wire.Packet) []wire.Packet { p[1].Data = nil; return p },
		"time stands still":    func(p []wire.Packet) []wire.Packet { p[1].DTS = 100; return p },
		"time goes back":       func(p []wire.Packet) []wire.Packet { p[1].DTS = 10; return p },
		"no length at the end": func(p []wire.Packet) []wire.Packet { p[1].Duration = 0; return p },
		"an endless last":      func(p []wire.Packet) []wire.Packet { p[1].Duration = 1 << 31; return p },
		"shown in a year":      func(p []wire.Packet) []wire.Packet { p[1].PTS = 1 << 40; return p },
	} {
		if _, err := fmp4.Fragment(1, 100, spoil(good())); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fmp4.Fragment(1, -100, shifted(good(), -200)); !errors.Is(err, fmp4.ErrMedia) {
		t.Errorf("before the film: %v", err)
	}
}

// BenchmarkFragment makes one second of a film at 8 Mbit/s.
func BenchmarkFragment(b *testing.B) {
	packets := make([]wire.Packet, 24)
	for i := range packets {
		packets[i] = wire.Packet{Key: i == 0, PTS: int64(i) * 1001, DTS: int64(i) * 1001, Duration: 1001, Data: make([]byte, 40_000)}
	}
	b.SetBytes(24 * 40_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fmp4.Fragment(1, 0, packets); err != nil {
			b.Fatal(err)
		}
	}
}

package fmp4_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/fmp4/fmp4test"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestMovieIsOneFile writes picture and sound into one file, of which a second has no sound, and
// holds what ffprobe reads to what was written.
func TestMovieIsOneFile(t *testing.T) {
	t.Parallel()
	video, pictures := fmp4test.Video(t, [2]int{25, 1}, 25, 75, "-bf", "2")
	audio, sound := fmp4test.Audio(t, 48000, 94)
	pictures = fmp4test.InBand(t, video, pictures)
	shift := pictures[0].DTS // decoding begins before the first picture is shown
	pictures = shifted(pictures, -shift)
	out, err := fmp4.Movie{
		Video: video, TimeScale: 25, Audio: &audio, Sound: wire.AudioInfo{Rate: 48000, Channels: 2, Language: "ger"}, Duration: 3 * time.Second,
	}.Head()
	if err != nil {
		t.Fatal(err)
	}
	for k, parts := range [][][]wire.Packet{{pictures[:25], sound[:47]}, {pictures[25:50], nil}, {pictures[50:], sound[47:]}} {
		if k == 2 {
			parts[1] = shifted(parts[1], 48000)
		}
		fragment, err := fmp4.MovieFragment(uint32(k)+1, parts...)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fragment...)
	}
	path := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	streams := run(t, "ffprobe", "-v", "warning", "-show_entries",
		"stream=codec_name,codec_tag_string,nb_read_packets:stream_tags=language:format=duration", "-count_packets", "-of", "compact=p=0", path)
	for _, want := range []string{"codec_name=h264|codec_tag_string=avc3|nb_read_packets=75", "codec_name=aac|codec_tag_string=mp4a|nb_read_packets=94|tag:language=ger", "duration=3.0"} {
		if !strings.Contains(streams, want) {
			t.Errorf("lacks %q:\n%s", want, streams)
		}
	}
	times := strings.Fields(run(t, "ffprobe", "-v", "warning", "-select_streams", "a", "-show_entries", "packet=pts", "-of", "csv=p=0", path))
	if times[46] != "47104" || times[47] != "96128" {
		t.Errorf("the gap in the sound lies between %s and %s", times[46], times[47])
	}
	run(t, "ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-")
}

func TestAMovieNeedsPackets(t *testing.T) {
	t.Parallel()
	still := []wire.Packet{{Key: true, Duration: 1, Data: []byte{1}}, {Duration: 1, Data: []byte{2}}}
	for name, tracks := range map[string][][]wire.Packet{"nothing": {nil, nil}, "no time between two": {still}} {
		if _, err := fmp4.MovieFragment(1, tracks...); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAMovieGoesOnBetweenKeyFrames writes a fragment that begins with none, as of a live stream.
func TestAMovieGoesOnBetweenKeyFrames(t *testing.T) {
	t.Parallel()
	want := []wire.Packet{{PTS: 5, DTS: 5, Duration: 1, Data: []byte("one")}, {Key: true, PTS: 6, DTS: 6, Duration: 1, Data: []byte("three")}}
	fragment, err := fmp4.MovieFragment(1, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fmp4.Packets(fragment); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v", err, got)
	}
}

// TestPacketsAreThoseOfTheFragment reads back what was written.
func TestPacketsAreThoseOfTheFragment(t *testing.T) {
	t.Parallel()
	_, pictures := fmp4test.Video(t, [2]int{24000, 1001}, 24, 24, "-bf", "2")
	_, sound := fmp4test.Audio(t, 44100, 40)
	varying := shifted(pictures, 0)
	for i := range varying[:20] {
		varying[i].Duration++
		for j := range varying[i+1:] {
			varying[i+1+j].DTS++
			varying[i+1+j].PTS++
		}
	}
	for name, want := range map[string][]wire.Packet{
		"picture": shifted(pictures, 48048), "sound": shifted(sound, 1024), "one": pictures[:1:1], "varying": varying,
	} {
		segment, err := fmp4.Fragment(7, want[0].DTS, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fmp4.Packets(segment)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%v\n%v", name, err, heads(got), heads(want))
		}
	}
}

// heads returns packets without their data.
func heads(packets []wire.Packet) []wire.Packet {
	bare := make([]wire.Packet, len(packets))
	for i, p := range packets {
		p.Data = nil
		bare[i] = p
	}
	return bare
}

// FuzzPackets holds that what is no fragment is refused, and that what is read of one lies in it.
func FuzzPackets(f *testing.F) {
	packets := []wire.Packet{{Key: true, Duration: 10, Data: []byte("one")}, {DTS: 10, PTS: 12, Duration: 10, Data: []byte("three")}}
	segment, err := fmp4.Fragment(1, 0, packets)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment)
	f.Add(segment[:len(segment)-4])
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := fmp4.Packets(data)
		if err != nil && !errors.Is(err, fmp4.ErrMedia) {
			t.Error(err)
		}
		size := 0
		for _, p := range got {
			size += len(p.Data)
		}
		if size > len(data) {
			t.Errorf("%d bytes of packets in %d", size, len(data))
		}
	})
}

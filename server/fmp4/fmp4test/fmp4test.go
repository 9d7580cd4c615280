// Package fmp4test makes packets of real media for tests, as a worker would send
// them: H.264 and AAC that ffmpeg encodes of its test sources.
package fmp4test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The picture of Video.
const (
	Width  = 64
	Height = 48
)

// Video returns pictures of a moving test pattern at a rate, a key frame first and
// every gop pictures, with ticks of 1/rate[0] s. Options are ffmpeg's, as in "-bf", "2".
func Video(t testing.TB, rate [2]int, gop, count int, options ...string) (wire.Init, []wire.Packet) {
	t.Helper()
	args := []string{
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=%d/%d", Width, Height, rate[0], rate[1]),
		"-frames:v", strconv.Itoa(count), "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0",
		"-g", strconv.Itoa(gop), "-keyint_min", strconv.Itoa(gop), "-sc_threshold", "0",
		"-video_track_timescale", strconv.Itoa(rate[0]),
	}
	track, packets := encode(t, append(args, options...))
	entry := track.Mdia.Minf.Stbl.Stsd.AvcX
	var record bytes.Buffer
	if err := entry.AvcC.DecConfRec.Encode(&record); err != nil {
		t.Fatal(err)
	}
	init := wire.Init{
		CodecData: record.Bytes(), Width: int(entry.Width), Height: int(entry.Height), Aspect: [2]int{1, 1}, Colour: "bt709",
	}
	var err error
	if init.Codec, err = fmp4.VideoCodec(init.CodecData); err != nil {
		t.Fatal(err)
	}
	return init, packets
}

// InBand returns the packets with the parameter sets of init in front of each key
// frame, as h264parse writes them with config-interval=-1. ffmpeg reads the first
// init segment of a stream only, and needs them after a change of generation.
func InBand(t testing.TB, init wire.Init, packets []wire.Packet) []wire.Packet {
	t.Helper()
	record, err := avc.DecodeAVCDecConfRec(init.CodecData)
	if err != nil {
		t.Fatal(err)
	}
	var sets []byte
	for _, set := range slices.Concat(record.SPSnalus, record.PPSnalus) {
		sets = append(binary.BigEndian.AppendUint32(sets, uint32(len(set))), set...)
	}
	packets = slices.Clone(packets)
	for i := range packets {
		if packets[i].Key {
			packets[i].Data = slices.Concat(sets, packets[i].Data)
		}
	}
	return packets
}

// Audio returns frames of AAC of a tone in stereo, with ticks of 1/rate s.
func Audio(t testing.TB, rate, count int) (wire.Init, []wire.Packet) {
	t.Helper()
	track, packets := encode(t, []string{
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=%d", rate), "-ac", "2",
		"-frames:a", strconv.Itoa(count), "-c:a", "aac", "-b:a", "64k",
	})
	config := track.Mdia.Minf.Stbl.Stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
	codec, err := fmp4.AudioCodec(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		packets[i].Duration = 1024 // ffmpeg shortens the last
	}
	return wire.Init{Codec: codec, CodecData: config}, packets[:count]
}

// encode runs ffmpeg and returns the track that it wrote.
func encode(t testing.TB, args []string) (*mp4.TrakBox, []wire.Packet) {
	t.Helper()
	args = append(append([]string{"-v", "error", "-nostdin"}, args...),
		"-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", args...) //nolint:gosec // arguments of tests
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg (deploy/install-deps.sh test installs it): %v\n%s", err, stderr.Bytes())
	}
	file, err := mp4.DecodeFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var packets []wire.Packet
	for _, segment := range file.Segments {
		for _, fragment := range segment.Fragments {
			samples, err := fragment.GetFullSamples(file.Moov.Mvex.Trex)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				packets = append(packets, wire.Packet{
					Key: mp4.IsSyncSampleFlags(s.Flags), PTS: s.PresentationTime(), DTS: int64(s.DecodeTime),
					Duration: int64(s.Dur), Data: s.Data,
				})
			}
		}
	}
	return file.Moov.Trak, packets
}

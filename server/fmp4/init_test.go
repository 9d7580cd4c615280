package fmp4_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// avcC of a picture of 64×48 that x264 made, in High profile at level 1.0.
const avcC = "0164000affe100156764000aacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func videoInit(t testing.TB) wire.Init {
	t.Helper()
	return wire.Init{Codec: "avc1.64000a", CodecData: unhex(t, avcC), Width: 64, Height: 48, Aspect: [2]int{1, 1}}
}

func TestCodecStrings(t *testing.T) {
	for config, want := range map[string]string{
		"1190":                                   "mp4a.40.2",  // LC, 48 kHz, stereo
		"119056e500":                             "mp4a.40.2",  // as ffmpeg writes it, with the extension that says: no SBR
		"2b118800":                               "mp4a.40.5",  // HE-AAC
		"eb098800":                               "mp4a.40.29", // HE-AAC v2
		"0990":                                   "",           // Main
		"11":                                     "",
		"":                                       "",
		"16f0":                                   "",     // a rate index that is reserved
		"4f7075734865616401023801":               "",     // an OpusHead that is cut off
		"4f707573486561640102380180bb0000000000": "opus", // stereo, 312 samples to be skipped
		"4f707573486561640103380180bb0000000000": "",     // three channels
	} {
		got, err := fmp4.AudioCodec(unhex(t, config))
		if got != want || (want == "") != errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("AudioCodec(%s) = %q, %v; want %q", config, got, err, want)
		}
	}
	if got, err := fmp4.VideoCodec(unhex(t, avcC)); got != "avc1.64000a" || err != nil {
		t.Errorf("VideoCodec = %q, %v", got, err)
	}
}

func TestVideoCodecRefuses(t *testing.T) {
	good := unhex(t, avcC)
	for name, bad := range map[string][]byte{
		"nothing":               nil,
		"another version":       append([]byte{2}, good[1:]...),
		"lengths of 2 bytes":    append(bytes.Clone(good[:4]), append([]byte{0xfd}, good[5:]...)...),
		"no parameter sets":     {1, 0x64, 0, 0x0a, 0xff, 0xe0, 0},
		"it breaks off":         good[:20],
		"another level":         append([]byte{1, 0x64, 0, 0x0b}, good[4:]...),
		"a picture as sequence": append(bytes.Clone(good[:8]), append([]byte{0x65}, good[9:]...)...),
		"reserved bits":         append(bytes.Clone(good[:4]), append([]byte{0x03}, good[5:]...)...),
		"too large":             make([]byte, 1<<20),
	} {
		if got, err := fmp4.VideoCodec(bad); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestVideoInitBoxes(t *testing.T) {
	init := videoInit(t)
	init.Width, init.Height, init.Aspect, init.Colour = 1440, 1080, [2]int{4, 3}, "1:4:16:4"
	out, err := fmp4.VideoInit(init, 24000)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mp4.DecodeFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	track := file.Moov.Trak
	if track.Tkhd.TrackID != 1 || track.Tkhd.Width>>16 != 1920 || track.Tkhd.Height>>16 != 1080 || track.Mdia.Mdhd.Timescale != 24000 {
		t.Errorf("tkhd %+v, mdhd %+v", track.Tkhd, track.Mdia.Mdhd)
	}
	entry := track.Mdia.Minf.Stbl.Stsd.AvcX
	if entry.Width != 1440 || entry.Height != 1080 || *entry.Pasp != (mp4.PaspBox{HSpacing: 4, VSpacing: 3}) {
		t.Errorf("%d×%d, %+v", entry.Width, entry.Height, entry.Pasp)
	}
	var record, colr bytes.Buffer
	if err := entry.AvcC.DecConfRec.Encode(&record); err != nil || !bytes.Equal(record.Bytes(), init.CodecData) {
		t.Errorf("avcC % x, %v", record.Bytes(), err)
	}
	for _, child := range entry.Children {
		if child.Type() == "colr" {
			if err := child.Encode(&colr); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := "nclx\x00\x06\x00\x06\x00\x06\x80"; !strings.HasSuffix(colr.String(), want) {
		t.Errorf("colr %q, want …%q", colr.String(), want)
	}
}

func TestInitsRefuse(t *testing.T) {
	for name, spoil := range map[string]func(*wire.Init){
		"another codec":  func(i *wire.Init) { i.Codec = "avc1.64001f" },
		"no width":       func(i *wire.Init) { i.Width = 0 },
		"a huge height":  func(i *wire.Init) { i.Height = 1 << 16 },
		"no aspect":      func(i *wire.Init) { i.Aspect = [2]int{} },
		"negative":       func(i *wire.Init) { i.Aspect[0] = -1 },
		"colour name":    func(i *wire.Init) { i.Colour = "bt42" },
		"colour numbers": func(i *wire.Init) { i.Colour = "2:7:1:1" },
		"colour sign":    func(i *wire.Init) { i.Colour = "2:-3:5:1" },
		"no data":        func(i *wire.Init) { i.CodecData = nil },
	} {
		init := videoInit(t)
		spoil(&init)
		if _, err := fmp4.VideoInit(init, 24000); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, timescale := range []int64{0, -1, 1 << 32} {
		if _, err := fmp4.VideoInit(videoInit(t), timescale); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%d ticks a second: %v", timescale, err)
		}
	}
	sound := wire.Init{Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}
	for _, info := range []wire.AudioInfo{{}, {Rate: 48000}, {Channels: 2}, {Rate: 48000, Channels: 300}, {Rate: 48000, Channels: 2, BitRate: -1}} {
		if _, err := fmp4.AudioInit(sound, info); !errors.Is(err, fmp4.ErrMedia) {
			t.Errorf("%+v: %v", info, err)
		}
	}
	sound.Codec = "mp4a.40.5"
	if _, err := fmp4.AudioInit(sound, wire.AudioInfo{Rate: 48000, Channels: 2}); !errors.Is(err, fmp4.ErrMedia) {
		t.Errorf("another codec: %v", err)
	}
}

// FuzzVideoInit holds any codec data to: an error, or a file that can be read and has that very data.
func FuzzVideoInit(f *testing.F) {
	f.Add(unhex(f, avcC), "bt709", 64, 48)
	f.Add(unhex(f, avcC[:len(avcC)-8]), "1:4:16:4", 1, 65535)
	f.Add([]byte{1, 66, 0, 10, 255, 225, 0, 4, 103, 66, 0, 10, 1, 0, 2, 104, 1}, "", 2, 2)
	f.Fuzz(func(t *testing.T, data []byte, colour string, width, height int) {
		codec, err := fmp4.VideoCodec(data)
		if err != nil {
			if !errors.Is(err, fmp4.ErrMedia) {
				t.Fatal(err)
			}
			return
		}
		init := wire.Init{Codec: codec, CodecData: data, Width: width, Height: height, Aspect: [2]int{1, 1}, Colour: colour}
		out, err := fmp4.VideoInit(init, 90000)
		if err != nil {
			if !errors.Is(err, fmp4.ErrMedia) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Contains(out, append([]byte("avcC"), data...)) {
			t.Errorf("the record % x was changed", data)
		}
		if _, err := mp4.DecodeFile(bytes.NewReader(out)); err != nil {
			t.Error(err)
		}
	})
}

// FuzzAudioInit is FuzzVideoInit for sound.
func FuzzAudioInit(f *testing.F) {
	f.Add([]byte{0x11, 0x90}, 48000, 2, 128000)
	f.Add([]byte{0x2b, 0x11, 0x88, 0}, 48000, 2, 0)
	f.Add([]byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"), 48000, 2, 96000)
	f.Add([]byte{0x17, 0x81, 0x0f, 0x51, 0x08}, 96000, 255, 1)
	f.Fuzz(func(t *testing.T, data []byte, rate, channels, bitRate int) {
		codec, err := fmp4.AudioCodec(data)
		if err != nil {
			if !errors.Is(err, fmp4.ErrMedia) {
				t.Fatal(err)
			}
			return
		}
		out, err := fmp4.AudioInit(wire.Init{Codec: codec, CodecData: data}, wire.AudioInfo{Rate: rate, Channels: channels, BitRate: bitRate})
		if err != nil {
			if !errors.Is(err, fmp4.ErrMedia) {
				t.Fatal(err)
			}
			return
		}
		if codec != fmp4.CodecOpus && !bytes.Contains(out, data) {
			t.Errorf("the config % x was changed", data)
		}
		file, err := mp4.DecodeFile(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if codec != fmp4.CodecOpus {
			return
		}
		dops := file.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].(*mp4.AudioSampleEntryBox).Dops
		if dops.OutputChannelCount != data[9] || dops.PreSkip != binary.LittleEndian.Uint16(data[10:]) || dops.ChannelMappingFamily != 0 {
			t.Errorf("of % x became %+v", data, dops)
		}
	})
}

// FuzzFragment holds packets of any kind to: an error, or a fragment that reads back as they are.
func FuzzFragment(f *testing.F) {
	f.Add(int64(0), int64(1001), int64(0), int64(1001), []byte("abc"), true)
	f.Add(int64(1)<<62, int64(1)<<62, int64(-5), int64(1)<<31, []byte(""), false)
	f.Fuzz(func(t *testing.T, base, step, offset, lasts int64, data []byte, key bool) {
		packets := []wire.Packet{
			{Key: true, PTS: base + offset, DTS: base, Duration: step, Data: data},
			{Key: key, PTS: base + step, DTS: base + step, Duration: lasts, Data: data},
		}
		out, err := fmp4.Fragment(1, base, packets)
		if err != nil {
			if !errors.Is(err, fmp4.ErrMedia) {
				t.Fatal(err)
			}
			return
		}
		file, err := mp4.DecodeFile(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := file.Segments[0].Fragments[0].GetFullSamples(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range packets {
			s := samples[i]
			if int64(s.DecodeTime) != p.DTS || s.PresentationTime() != p.PTS || int64(s.Dur) != p.Duration || !bytes.Equal(s.Data, p.Data) {
				t.Errorf("packet %d: wrote %+v, read %+v", i, p, s)
			}
		}
	})
}

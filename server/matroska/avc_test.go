package matroska_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/matroska"
)

// Parameter sets of x264: of 1920×1080, whose last row of macroblocks is cropped, in High, and of 16×16 in Baseline.
const (
	spsHigh     = "67640028acd940780227e5c044000003000400000300c83c60c658"
	ppsHigh     = "68ebe3cb22c0"
	spsBaseline = "6742c00ad91ec044000003000400000300c83c489920"
)

func unit(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hostile are sequence parameter sets that readers without bounds end at: a cycle of 2^47 pictures, and 2^32 buffers
// of a hypothetical decoder.
var hostile = []string{
	"6742001fd7000000000001ffffffffffffffff",
	"6742001fd700000001fffffffe",
	"6742001fdde8200000001fffffffffffff",
}

func TestAVCTrack(t *testing.T) {
	track, err := matroska.AVCTrack(unit(t, spsHigh), unit(t, ppsHigh))
	if err != nil || track.Codec != matroska.AVC || track.Width != 1920 || track.Height != 1080 {
		t.Errorf("%+v %v", track, err)
	}
	if codec, err := fmp4.VideoCodec(track.CodecPrivate); err != nil || codec != "avc1.640028" {
		t.Errorf("%s %v of %x", codec, err, track.CodecPrivate)
	}
	for name, sets := range map[string][2][]byte{
		"no sets":                {},
		"no PPS":                 {unit(t, spsHigh), nil},
		"no SPS":                 {unit(t, ppsHigh), unit(t, ppsHigh)},
		"an end in the midst":    {unit(t, spsHigh)[:8], unit(t, ppsHigh)},
		"an SPS without bounds":  {append(unit(t, spsHigh), make([]byte, 1<<16)...), unit(t, ppsHigh)},
		"a PPS without bounds":   {unit(t, spsHigh), make([]byte, 1<<16)},
		"a cycle without bounds": {unit(t, hostile[0]), unit(t, ppsHigh)},
		"buffers without bounds": {unit(t, hostile[2]), unit(t, ppsHigh)},
	} {
		if _, err := matroska.AVCTrack(sets[0], sets[1]); !errors.Is(err, matroska.ErrTrack) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAVCTrack describes pictures by parameter sets of any kind: what is described fits the record that says so.
func FuzzAVCTrack(f *testing.F) {
	for _, sps := range append([]string{spsHigh, spsBaseline}, hostile...) {
		f.Add(unit(f, sps), unit(f, ppsHigh))
	}
	f.Fuzz(func(t *testing.T, sps, pps []byte) {
		track, err := matroska.AVCTrack(sps, pps)
		if err != nil {
			return
		}
		if min(track.Width, track.Height) < 1 || track.Width > 1<<15 || track.Height > 1<<15 {
			t.Errorf("%d×%d", track.Width, track.Height)
		}
		if !bytes.Contains(track.CodecPrivate, sps) || !bytes.HasPrefix(track.CodecPrivate[1:], sps[1:4]) {
			t.Errorf("%x is not in %x", sps, track.CodecPrivate)
		}
	})
}

package fmp4_test

import (
	"bytes"
	"testing"

	"github.com/upscaled-media/upscaled/server/fmp4"
)

// TestColoursAreGStreamers holds colr boxes to those that GStreamer's mp4mux writes for the same
// caps: primaries, transfer, matrix, and the bit of full range.
func TestColoursAreGStreamers(t *testing.T) {
	for colour, want := range map[string]string{
		"bt601":      "\x00\x06\x00\x06\x00\x06\x00",
		"bt709":      "\x00\x01\x00\x01\x00\x01\x00",
		"smpte240m":  "\x00\x07\x00\x07\x00\x07\x00",
		"sRGB":       "\x00\x01\x00\x0d\x00\x00\x80",
		"bt2020":     "\x00\x09\x00\x0f\x00\x09\x00",
		"bt2020-10":  "\x00\x09\x00\x0e\x00\x09\x00",
		"bt2100-pq":  "\x00\x09\x00\x10\x00\x09\x00",
		"bt2100-hlg": "\x00\x09\x00\x12\x00\x09\x00",
		"1:4:16:4":   "\x00\x06\x00\x06\x00\x06\x80",
		"2:4:16:3":   "\x00\x05\x00\x06\x00\x06\x00",
		"1:2:4:2":    "\x00\x04\x00\x04\x00\x04\x80",
		"2:3:8:12":   "\x00\x16\x00\x05\x00\x01\x00",
		"2:3:9:9":    "\x00\x0a\x00\x09\x00\x01\x00",
		"2:0:0:4":    "\x00\x06\x00\x02\x00\x02\x00", // what is unknown stays so
		"0:0:0:0":    "",
		"":           "",
	} {
		init := videoInit(t)
		init.Colour = colour
		out, err := fmp4.VideoInit(init, 24000)
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := bytes.Cut(out, []byte("colrnclx"))
		if found != (want != "") || !bytes.HasPrefix(after, []byte(want)) {
			t.Errorf("%q: colr % x, want % x", colour, after[:min(len(after), 7)], want)
		}
	}
}

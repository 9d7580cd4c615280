package pipeline

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// retimed gives the pictures of a Matroska file with one track the times that
// at returns, in milliseconds.
func retimed(t testing.TB, path string, at func(i int) int16) string {
	t.Helper()
	return changed(t, path, func(data []byte) []byte {
		i, mark := 0, []byte{0x1f, 0x43, 0xb6, 0x75}
		for from := bytes.Index(data, mark); from >= 0; {
			length, n := vint(data[from+4:])
			cluster := data[from+4+n:][:length]
			for len(cluster) > 0 {
				size, n := vint(cluster[1:])
				content := cluster[1+n:][:size]
				switch cluster[0] {
				case 0xe7: // the cluster's time, to which the pictures' are added (RFC 9559 §10.2)
					clear(content)
				case 0xa3: // SimpleBlock: track, time, flags, data
					binary.BigEndian.PutUint16(content[1:], uint16(at(i)))
					i++
				}
				cluster = cluster[1+n+int(size):]
			}
			from += 4 + n + int(length)
			next := bytes.Index(data[from:], mark)
			if next < 0 {
				break
			}
			from += next
		}
		if i != 25 {
			t.Fatalf("%d pictures in the clusters", i)
		}
		return data
	})
}

// TestTimesAreBroken proves that every picture comes out of a file whose times
// are of no use, one after the other, and that gaps stay.
func TestTimesAreBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   func(i int) int16
		last time.Duration // at least, of the last picture
	}{
		{"all zero", func(int) int16 { return 0 }, 24},
		{"the same twice", func(i int) int16 { return int16(i / 2 * 80) }, 900 * time.Millisecond},
		{"back to the beginning midway", func(i int) int16 { return int16(i % 13 * 40) }, 400 * time.Millisecond},
		{"before the beginning", func(i int) int16 { return int16((i - 12) * 40) }, 400 * time.Millisecond},
		{"a gap of half a minute", func(i int) int16 { return int16(i*40 + i/13*30_000) }, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// Each picture stands by itself, so that no order of decoding is broken.
			in := retimed(t, ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-c:v", "mjpeg", "in.mkv"), c.at)
			_, res, out := transcode(t, in, spec())
			at := times(t, out, "v:0")
			if res.Encoded != 25 || len(at) != 25 || at[24] < c.last {
				t.Fatalf("%d pictures are encoded, %d written, the last at %s", res.Encoded, len(at), at[len(at)-1])
			}
			for i := range at[1:] {
				if at[i+1] <= at[i] {
					t.Errorf("picture %d is shown at %s, the one before at %s", i+1, at[i+1], at[i])
				}
			}
		})
	}
}

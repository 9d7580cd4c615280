package pipeline

import (
	"bytes"
	"testing"
)

func TestAnnouncedSize(t *testing.T) {
	matroska := func(size ...byte) []byte {
		return append(append([]byte{0x1a, 0x45, 0xdf, 0xa3, 0x82, 0, 0, 0x18, 0x53, 0x80, 0x67}, size...), make([]byte, 20)...)
	}
	ftyp := []byte("\x00\x00\x00\x10ftypisom\x00\x00\x00\x00")
	for _, c := range []struct {
		name string
		data []byte
		want int64
	}{
		{"nothing", nil, 0},
		{"text", []byte("This is no film, but it is long enough."), 0},
		{"AVI", []byte("RIFF\x00\x01\x00\x00AVI LIST"), 264},
		{"Matroska", matroska(0x40, 0xff), 7 + 4 + 2 + 255},
		{"Matroska, recorded live", matroska(0xff), 0},
		{"Matroska, recorded live, long", matroska(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0},
		{"Matroska, header alone", matroska()[:9], 0},
		{"MP4", append(ftyp[:16:16], "\x00\x00\x10\x00mdat"...), 16 + 4096},
		{"MP4, large", append(ftyp[:16:16], "\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00\x00"...), 16 + 1<<32},
		{"MP4, last box to the end", append(ftyp[:16:16], "\x00\x00\x00\x00mdat"...), 0},
		{"MP4, whole", append(ftyp[:16:16], "\x00\x00\x00\x0cmdat1234"...), 28},
		{"MP4, something behind", append(ftyp[:16:16], "\x00\x00\x00\x0cmdat1234\x00\x00\x00\x03...."...), 0},
		{"MP4, negative", append(ftyp[:16:16], "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"...), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := announcedSize(bytes.NewReader(c.data), int64(len(c.data))); got != c.want {
				t.Errorf("%d instead of %d", got, c.want)
			}
		})
	}
}

func FuzzAnnouncedSize(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x0cmdat1234"))
	f.Add([]byte("\x1a\x45\xdf\xa3\x82\x00\x00\x18\x53\x80\x67\x40\xff"))
	f.Add([]byte("RIFF\x00\x01\x00\x00AVI LIST"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := announcedSize(bytes.NewReader(data), int64(len(data))); n < 0 {
			t.Errorf("%d bytes", n)
		}
	})
}

package matroska_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// small writes a stream of pictures, sound and cues.
func small(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := matroska.NewWriter(&out, []matroska.Track{
		{Codec: matroska.VP8, Width: 64, Height: 48, Frame: 40 * time.Millisecond}, {Codec: matroska.Opus, Rate: 48000, Channels: 2}, {Codec: matroska.Text},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		at := time.Duration(i) * 40 * time.Millisecond
		err := errors.Join(w.Write(0, at, i%10 == 0, fmt.Appendf(nil, "picture %d %s", i, strings.Repeat("x", i*20))), w.Write(1, at, true, fmt.Appendf(nil, "sound %d", i)))
		if i%7 == 0 {
			err = errors.Join(err, w.WriteText(2, at, time.Second, fmt.Sprintf("words %d", i)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// all reads a stream to where it ends.
func all(r *matroska.Reader) (blocks []matroska.Block, err error) {
	for {
		b, err := r.Next()
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, b)
	}
}

// TestReader reads back what a Writer wrote.
func TestReader(t *testing.T) {
	data := small(t)
	r, err := matroska.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	head := r.Head()
	if head.Tick != matroska.Tick || len(head.Tracks) != 3 || head.Tracks[0].Kind != matroska.Video || head.Tracks[1].Kind != matroska.Sound || head.Tracks[2].Kind != matroska.Subtitle {
		t.Fatalf("%+v", head)
	}
	blocks, err := all(r)
	if !errors.Is(err, io.EOF) || len(blocks) != 65 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	end, n := blocks[0].Start, [4]int{}
	for _, b := range blocks {
		i := n[b.Track]
		n[b.Track]++
		if b.Track == 3 {
			i *= 7
		}
		want := []string{"", fmt.Sprintf("picture %d %s", i, strings.Repeat("x", i*20)), fmt.Sprintf("sound %d", i), fmt.Sprintf("words %d", i)}[b.Track]
		key, opens := b.Track != 1 || i%10 == 0, b.Track == 1 && i%10 == 0
		if string(b.Data) != want || b.At != int64(i)*400 || b.Key != key || b.Opens != opens || b.Start != end || b.End-b.Start < int64(len(b.Raw)) {
			t.Fatalf("block %+v instead of %q", b, want)
		}
		if (b.Length == 10_000) != (b.Track == 3) || !bytes.HasSuffix(data[b.Start:b.End], b.Raw) {
			t.Fatalf("block %+v is not what lies there", b)
		}
		end = b.End
	}
	if end != int64(len(data)) {
		t.Errorf("the last block ends at %d of %d", end, len(data))
	}
}

// TestReaderBreaksOff reads a stream that breaks off at each of its bytes.
func TestReaderBreaksOff(t *testing.T) {
	data := small(t)
	for at := range data {
		r, err := matroska.NewReader(bytes.NewReader(data[:at]))
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("at %d: %v", at, err)
			}
			continue
		}
		blocks, err := all(r)
		whole := len(blocks) > 0 && blocks[len(blocks)-1].End == int64(at)
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || whole && !errors.Is(err, io.EOF) {
			t.Fatalf("at %d, behind %d blocks: %v", at, len(blocks), err)
		}
	}
}

// TestAppender moves the second half of a film behind the first, later by an hour.
func TestAppender(t *testing.T) {
	data := small(t)
	read := func(data []byte) []matroska.Block {
		r, err := matroska.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := all(r)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return blocks
	}
	blocks := read(data)
	half := len(blocks) / 2
	out := bytes.NewBuffer(bytes.Clone(data[:blocks[half].Start]))
	w := matroska.NewAppender(out, blocks[half].Start)
	const later = int64(time.Hour / matroska.Tick)
	for i := half; i < len(blocks); i++ {
		b := blocks[i]
		b.At += later
		var err error
		if blocks[i], err = w.Write(b); err != nil || blocks[i].End != int64(out.Len()) {
			t.Fatal(err)
		}
	}
	joined := read(out.Bytes())
	if len(joined) != len(blocks) {
		t.Fatalf("%d blocks of %d", len(joined), len(blocks))
	}
	for i, b := range joined {
		if b.At != blocks[i].At || b.Start != blocks[i].Start || b.End != blocks[i].End || b.Length != blocks[i].Length || !bytes.Equal(b.Data, blocks[i].Data) {
			t.Errorf("block %+v instead of %+v", b, blocks[i])
		}
	}
	if _, err := w.Write(matroska.Block{At: 1}); !errors.Is(err, matroska.ErrBlock) {
		t.Error(err)
	}
}

// TestReaderRefuses changes a stream into what none is.
func TestReaderRefuses(t *testing.T) {
	data := small(t)
	cluster := []byte{0x1f, 0x43, 0xb6, 0x75, 1, 255, 255, 255, 255, 255, 255, 255}
	for name, c := range map[string][2][]byte{
		"another format":         {{0x1a, 0x45, 0xdf, 0xa3}, {0x1a, 0x45, 0xdf, 0xa4}},
		"a Segment with a size":  {{0x18, 0x53, 0x80, 0x67, 1, 255, 255, 255, 255, 255, 255, 255}, {0x18, 0x53, 0x80, 0x67, 1, 0, 0, 0, 0, 0, 255, 255}},
		"a Cluster with a size":  {cluster, {0x1f, 0x43, 0xb6, 0x75, 1, 0, 0, 0, 0, 0, 1, 0}},
		"an index":               {append(bytes.Clone(cluster), 0xe7, 0x81, 0), append([]byte{0x1c, 0x53, 0xbb, 0x6b, 0x8a}, make([]byte, 10)...)},
		"no time":                {append(bytes.Clone(cluster), 0xe7), append(bytes.Clone(cluster), 0xec)},
		"a track of none":        {[]byte("\x82\x00\x00\x80sound 0"), []byte("\x84\x00\x00\x80sound 0")},
		"frames in laces":        {[]byte("\x82\x00\x00\x80sound 0"), []byte("\x82\x00\x00\x82sound 0")},
		"a time in front of 0":   {[]byte("\x82\x00\x00\x80sound 0"), []byte("\x82\xff\xff\x80sound 0")},
		"two tracks of a number": {{0xd7, 0x81, 2}, {0xd7, 0x81, 1}},
		"times of no unit":       {{0x2a, 0xd7, 0xb1, 0x83, 1, 0x86, 0xa0}, {0x2a, 0xd7, 0xb1, 0x83, 0, 0, 0}},
		"a huge block":           {{0xa3}, {0xa3, 1, 0, 0, 1, 0, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := bytes.Replace(data, c[0], c[1], 1)
			if bytes.Equal(changed, data) {
				t.Fatal("nothing was changed")
			}
			r, err := matroska.NewReader(bytes.NewReader(changed))
			if err == nil {
				_, err = all(r)
			}
			if !errors.Is(err, matroska.ErrForm) {
				t.Error(err)
			}
		})
	}
}

// FuzzReader reads anything, and what it takes for blocks lies where they say.
func FuzzReader(f *testing.F) {
	data := small(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := matroska.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		blocks, err := all(r)
		if err == nil {
			t.Fatal("it has no end")
		}
		end := int64(0)
		for _, b := range blocks {
			if b.Start < end || b.End > int64(len(data)) || b.At < 0 || !bytes.Contains(data[b.Start:b.End], b.Data) {
				t.Fatalf("%+v behind %d", b, end)
			}
			end = b.End
			var out bytes.Buffer
			if _, err := matroska.NewAppender(&out, 0).Write(b); err != nil || !bytes.Contains(out.Bytes(), b.Data) {
				t.Fatalf("%+v cannot be written: %v", b, err)
			}
		}
	})
}

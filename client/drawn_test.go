package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// drawn is a film as a server makes it. What is in its pictures tells which run made
// them; its sound is the same in every run.
type drawn struct {
	pictures int
	shown    time.Duration // how long each is
	config   string        // of the decoder of pictures
	spoil    func(p *packet) (keep bool)
}

// packet is one of a drawn film.
type packet struct {
	track    int
	due      time.Duration // its turn in the stream
	at, last time.Duration
	key      bool
	data     string
}

const (
	pictureTrack = iota
	soundTrack
	textTrack
)

// frame is the length of a packet of sound.
const frame = 1024 * time.Second / 48000

// lines is how far the subtitles are from each other; each overlaps with the next.
const lines = 700 * time.Millisecond

var usual = drawn{pictures: 250, shown: 40 * time.Millisecond, config: "a decoder's"}

// packets returns those of the film from a time on, in the order in which a server sends
// them: pictures in groups of three of which the last is first, and sound late by 80 ms.
func (d drawn) packets(from time.Duration, run int) (all []packet) {
	n := 0
	for time.Duration(n+1)*d.shown <= from {
		n++
	}
	first := n
	for ; n < d.pictures; n++ {
		at := time.Duration(n) * d.shown
		p := packet{
			at: max(0, at-from), last: d.shown, due: at + d.shown*3, key: n == first || (n-first)%48 == 0,
			data: fmt.Sprintf("picture %d of run %d %s", n, run, strings.Repeat("x", n%7*40)),
		}
		if group := (n - first) % 3; group != 0 { // 0 · 3 1 2 · 6 4 5
			p.due += d.shown * 3
		} else if n > first {
			p.due -= d.shown / 2
		}
		all = append(all, p)
	}
	end := time.Duration(d.pictures) * d.shown
	for k := 0; time.Duration(k)*frame < end; k++ {
		if at := time.Duration(k) * frame; at >= from {
			all = append(all, packet{track: soundTrack, at: at - from, due: at + 5*d.shown, key: true, data: fmt.Sprintf("sound %d", k)})
		}
	}
	for k := 0; time.Duration(k)*lines < end; k++ {
		if at := time.Duration(k) * lines; at >= from {
			all = append(all, packet{track: textTrack, at: at - from, due: at + d.shown, last: 3 * lines / 2, data: fmt.Sprintf("text %d", k)})
		}
	}
	slices.SortStableFunc(all, func(a, b packet) int { return cmp.Compare(a.due, b.due) })
	return all
}

// render returns the film as the stream that a server sends.
func (d drawn) render(t testing.TB, from time.Duration, run int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := matroska.NewWriter(&out, []matroska.Track{
		{Codec: matroska.AVC, CodecPrivate: []byte(d.config), Width: 64, Height: 48, Frame: d.shown},
		{Codec: matroska.AAC, CodecPrivate: []byte{0x11, 0x90}, Rate: 48000, Channels: 2},
		{Codec: matroska.Text},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.packets(from, run) {
		if d.spoil != nil && run > 1 && !d.spoil(&p) {
			continue
		}
		if p.track == textTrack {
			err = w.WriteText(p.track, p.at, p.last, p.data)
		} else {
			err = w.Write(p.track, p.at, p.key, []byte(p.data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// whole checks that a result has each picture, each packet of sound and each line of text once, at
// its time and in order, and returns how many pictures each run made.
func (d drawn) whole(t testing.TB, result []byte) map[int]int {
	t.Helper()
	r, err := matroska.NewReader(bytes.NewReader(result))
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		number int
		at     time.Duration
	}
	tracks, runs, latest := map[uint64][]seen{}, map[int]int{}, 0
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s, run := seen{at: time.Duration(b.At) * r.Head().Tick}, 0
		if b.Track == pictureTrack+1 {
			_, err = fmt.Sscanf(string(b.Data), "picture %d of run %d", &s.number, &run)
		} else {
			_, err = fmt.Sscanf(string(b.Data[bytes.IndexByte(b.Data, ' ')+1:]), "%d", &s.number)
		}
		if err != nil {
			t.Fatalf("%q: %v", b.Data, err)
		}
		if tracks[b.Track] = append(tracks[b.Track], s); b.Track == 1 {
			runs[run]++
			if run < latest {
				t.Fatalf("a picture of run %d behind those of run %d", run, latest)
			}
			latest = run
		}
	}
	slices.SortFunc(tracks[1], func(a, b seen) int { return cmp.Compare(a.at, b.at) })
	end := time.Duration(d.pictures) * d.shown
	for number, length := range map[uint64]time.Duration{1: d.shown, 2: frame, 3: lines} {
		if want := int((end + length - 1) / length); len(tracks[number]) != want {
			t.Fatalf("track %d has %d blocks, not %d", number, len(tracks[number]), want)
		}
		for i, s := range tracks[number] {
			if s.number != i || (s.at-time.Duration(i)*length).Abs() > r.Head().Tick {
				t.Fatalf("track %d: block %d is number %d at %s", number, i, s.number, s.at)
			}
		}
	}
	return runs
}

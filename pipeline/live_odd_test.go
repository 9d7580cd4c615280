package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/models"
)

// TestLiveSlowReader: whoever takes the packets is slower than real time. The newest
// pictures are kept, those that are let go counted, the delay is bounded, and no sound
// is lost.
func TestLiveSlowReader(t *testing.T) {
	t.Parallel()
	const frames = 150
	head, blocks := liveClip(t, frames, x264Live+"-c:a aac")
	f := newFeed(t)
	h := f.hear(liveSpec(), func(h *heard) { h.eye.delay = 100 * time.Millisecond })
	f.write(head)
	begin := time.Now()
	f.pour(begin, blocks)
	f.close()
	numbers, plan := h.whole()
	h.checkNumbers(numbers, frames)
	if s := h.live.Stats(); s.Dropped < frames/3 {
		t.Errorf("%d of %d pictures were dropped", s.Dropped, frames)
	}
	h.checkSound(plan.Audio[0], true, only(2, blocks))
	h.checkDelay(begin, 0, 5*time.Second) // 9 s, if all were kept
}

// checkDelay holds the time from a picture's own until it came against a bound, from
// one of its time on.
func (h *heard) checkDelay(begin time.Time, from, bound time.Duration) {
	h.t.Helper()
	var worst time.Duration
	for i, p := range h.eye.packets {
		if at := time.Duration(p.PTS) * time.Second / LiveTimeScale; at >= from {
			worst = max(worst, h.eye.times[i].Sub(begin.Add(at)))
		}
	}
	if worst > bound {
		h.t.Errorf("a picture came after %s", worst)
	}
	h.t.Logf("the longest delay was %s", worst)
}

// TestLiveHiccup: nobody takes packets for a while. What is there then is the newest.
func TestLiveHiccup(t *testing.T) {
	t.Parallel()
	const frames = 150
	head, blocks := liveClip(t, frames, x264Live+"-an")
	f := newFeed(t)
	h := f.hear(liveSpec(), func(h *heard) { h.eye.block, h.eye.blocks = make(chan struct{}), 20 })
	f.write(head)
	begin := time.Now()
	over := time.AfterFunc(3*time.Second, func() { close(h.eye.block) })
	defer over.Stop()
	f.pour(begin, blocks)
	f.close()
	numbers, _ := h.whole()
	h.checkNumbers(numbers, frames)
	if h.live.Stats().Dropped < 25 {
		t.Errorf("%d pictures were dropped", h.live.Stats().Dropped)
	}
	h.checkDelay(begin, 4*time.Second, 3*time.Second)
}

// TestLiveBacklog: a stream begins with seconds that lie behind, as one does whose
// server sends what it has.
func TestLiveBacklog(t *testing.T) {
	t.Parallel()
	const frames = 150
	head, blocks := liveClip(t, frames, x264Live+"-c:a aac")
	f := newFeed(t)
	h := f.hear(liveSpec(), func(h *heard) { h.eye.delay = 20 * time.Millisecond })
	f.write(head)
	begin := time.Now().Add(-4 * time.Second)
	f.pour(begin, blocks)
	f.close()
	numbers, _ := h.whole()
	h.checkNumbers(numbers, frames)
	h.checkDelay(begin, 5*time.Second, 3*time.Second)
}

// TestLiveChangesSize: a source whose pictures change their size midway is made in the
// size that follows, without a loss.
func TestLiveChangesSize(t *testing.T) {
	t.Parallel()
	const vp8 = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -g 25 -an"
	for name, c := range map[string]struct {
		args   string
		height int   // that is asked for
		want   []int // heights of what comes
	}{
		"VP8":                    {vp8, 0, []int{360, 480, 360}},
		"H.264":                  {x264Live + "-an", 0, []int{360, 480, 360}},
		"H.264, one height":      {x264Live + "-an", 300, []int{300, 300, 300}},
		"H.264, Matroska's AVCC": {x264Live + "-an", 0, []int{360, 480, 360}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const each = 40
			var head []byte
			var all []block
			for i, rows := range []int{180, 240, 180} {
				in := liveFile(t, testmedia.Spec{Width: rows * 16 / 9 / 2 * 2, Height: rows, Frames: each}, c.args+" in.mkv")
				h, blocks := matroska(t, in)
				if i == 0 {
					head = h
				}
				for _, b := range only(1, blocks) {
					b.at += time.Duration(i*each) * time.Second / 25
					if b.key && c.args != vp8 {
						b.data = append(parameterSets(t, h), b.data...)
					}
					all = append(all, b)
				}
			}
			f := newFeed(t)
			s := liveSpec()
			s.Height = c.height
			h := f.hear(s)
			f.write(head)
			f.pour(time.Now(), all)
			f.close()
			if err := h.end(); err != nil {
				t.Fatal(err)
			}
			var heights []int
			for _, i := range h.eye.collector.inits {
				heights = append(heights, i.Height)
			}
			if !slices.Equal(slices.Compact(heights), slices.Compact(slices.Clone(c.want))) {
				t.Errorf("heights %v, want %v", heights, c.want)
			}
			if made, s := len(h.eye.packets), h.live.Stats(); made+int(s.Dropped) != 3*each || s.Encoded != int64(made) {
				t.Errorf("%d pictures, %+v, %d dropped", made, s.Progress, s.Dropped)
			}
			h.checkTimes(all)
		})
	}
}

// parameterSets returns those of the first track of a Matroska file's head, as they
// lie in front of a picture: ISO/IEC 14496-15 §5.3.3.1.2.
func parameterSets(t testing.TB, head []byte) (sets []byte) {
	t.Helper()
	i := bytes.Index(head, []byte{0x63, 0xa2}) // CodecPrivate
	if i < 0 {
		t.Fatal("no codec data")
	}
	config := ebml(t, head[i:])[0].body
	rest := config[6:]
	take := func(n int) {
		for range n {
			size := int(binary.BigEndian.Uint16(rest))
			sets = binary.BigEndian.AppendUint32(sets, uint32(size))
			sets = append(sets, rest[2:2+size]...)
			rest = rest[2+size:]
		}
	}
	take(int(config[5] & 31))
	n := int(rest[0])
	rest = rest[1:]
	take(n)
	return sets
}

// TestLiveStandsStill: a stream that stops for longer than anything may hang is no
// fault of anybody's here, and goes on.
func TestLiveStandsStill(t *testing.T) {
	t.Parallel()
	const frames = 100
	head, blocks := liveClip(t, frames, x264Live+"-c:a aac")
	f := newFeed(t)
	h := f.hear(liveSpec(), func(h *heard) { h.stall = 2 * time.Second })
	f.write(head)
	half := slices.IndexFunc(blocks, func(b block) bool { return b.at > 2*time.Second })
	begin := time.Now()
	f.pour(begin, blocks[:half])
	f.pour(begin.Add(3*time.Second), blocks[half:])
	f.close()
	numbers, plan := h.whole()
	h.checkNumbers(numbers, frames)
	h.checkSound(plan.Audio[0], true, only(2, blocks))
}

// TestLiveJumps: the stream's clock jumps, forth and back.
func TestLiveJumps(t *testing.T) {
	t.Parallel()
	const frames = 90
	head, blocks := liveClip(t, frames, x264Live+"-c:a aac")
	jumped := slices.Clone(blocks)
	for i, b := range blocks {
		switch {
		case b.at >= 2400*time.Millisecond:
			jumped[i].at += time.Minute
		case b.at >= 1200*time.Millisecond:
			jumped[i].at += time.Hour
		}
	}
	f := newFeed(t)
	h := f.hear(liveSpec())
	f.write(head)
	f.pourAs(time.Now(), blocks, jumped)
	f.close()
	numbers, _ := h.whole()
	h.checkNumbers(numbers, frames)
	at := map[int64]bool{}
	for _, b := range only(1, jumped) {
		at[liveTicks(b.at)] = true
	}
	for i, p := range h.eye.packets {
		if !at[p.PTS] || p.Duration > LiveTimeScale/10 {
			t.Errorf("picture %d at %d for %d", numbers[i], p.PTS, p.Duration)
		}
	}
	if last := h.ear.packets[len(h.ear.packets)-1].PTS / 48000; last < 60 || last > 70 {
		t.Errorf("the last sound is at %d s", last)
	}
}

// TestLiveDamage: bytes of pictures are damaged, and those of a transport stream
// anywhere.
func TestLiveDamage(t *testing.T) {
	t.Parallel()
	const frames = 100
	in := liveFile(t, testmedia.Spec{Width: 320, Height: 180, Frames: frames}, x264Live+"-c:a aac in.mkv")
	head, blocks := matroska(t, in)
	t.Run("pictures", func(t *testing.T) {
		t.Parallel()
		f := newFeed(t)
		h := f.hear(liveSpec())
		f.write(head)
		hurt := slices.Clone(blocks)
		for i, b := range hurt {
			if b.track == 1 && b.at > time.Second && b.at < 2*time.Second && i%3 == 0 {
				hurt[i].data = bytes.Clone(b.data)
				for k := 8; k < len(b.data); k += 7 {
					hurt[i].data[k] ^= byte(k)
				}
			}
		}
		f.pour(time.Now(), hurt)
		f.close()
		h.recovers(frames)
	})
	t.Run("transport stream", func(t *testing.T) {
		t.Parallel()
		data := tool(t, nil, "ffmpeg", "-v", "error", "-i", in, "-c", "copy", "-f", "mpegts", "-")
		for i := len(data) / 3; i < len(data)/2; i += 997 {
			data[i] ^= 0x5a
		}
		copy(data[len(data)/2:], data[len(data)/2+100:]) // a part is missing
		f := newFeed(t)
		h := f.hear(liveSpec())
		const parts = 100
		for i := range parts {
			f.write(data[i*len(data)/parts : (i+1)*len(data)/parts])
			awaitTime(time.Now().Add(40 * time.Millisecond)) // as it comes
		}
		f.close()
		h.recovers(frames)
	})
}

// recovers waits for the end of a stream that was damaged midway: its last picture is
// there and most others.
func (h *heard) recovers(frames int) {
	h.t.Helper()
	if err := h.end(); err != nil {
		h.t.Fatal(err)
	}
	s := h.live.Stats()
	if made := len(h.eye.packets) + int(s.Dropped); made < frames*3/4 {
		h.t.Errorf("%d pictures of %d, %+v", made, frames, s)
	}
	last := &collector{inits: h.eye.collector.inits}
	for i, p := range h.eye.packets {
		if p.Key && i < len(h.eye.packets)-5 {
			last.packets = nil
		}
		last.packets = append(last.packets, p)
	}
	if numbers := last.numbers(h.t, 2); numbers[len(numbers)-1] != frames-1 {
		h.t.Errorf("the last pictures are %v", numbers)
	}
}

// TestLiveKeyFrames: key frames are no further apart than asked for, and come when
// they are asked for.
func TestLiveKeyFrames(t *testing.T) {
	t.Parallel()
	const frames = 100
	head, blocks := liveClip(t, frames, "-c:v libx264 -preset ultrafast -tune zerolatency -g 1000 -an")
	f := newFeed(t)
	s := liveSpec()
	s.KeyFrames = 1200 * time.Millisecond
	h := f.hear(s)
	f.write(head)
	h.pourUntil(f, blocks[:45])
	h.live.KeyFrame()
	f.pour(time.Now().Add(-blocks[45].at), blocks[45:])
	f.close()
	numbers, _ := h.whole()
	h.checkNumbers(numbers, frames)
	var keys []int
	for i, p := range h.eye.packets {
		if p.Key {
			keys = append(keys, numbers[i])
		}
	}
	if h.live.Stats().Dropped == 0 && !slices.Equal(keys, []int{0, 30, 45, 75}) {
		t.Errorf("key frames %v", keys)
	}
}

// pourUntil writes packets in real time and waits until their pictures have come.
func (h *heard) pourUntil(f *liveFeed, blocks []block) {
	h.t.Helper()
	f.pour(time.Now().Add(-blocks[0].at), blocks)
	for deadline := time.Now().Add(20 * time.Second); ; awaitTime(time.Now().Add(time.Millisecond)) {
		h.eye.mu.Lock()
		n := len(h.eye.packets)
		come := n > 0 && h.eye.packets[n-1].PTS == liveTicks(blocks[len(blocks)-1].at)
		h.eye.mu.Unlock()
		if come {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatal("the pictures do not come")
		}
	}
}

// TestLiveChanges changes what makes pictures while they are made.
func TestLiveChanges(t *testing.T) {
	t.Parallel()
	const frames = 90
	head, blocks := liveClip(t, frames, x264Live+"-an")
	dark := filters.Neutral()
	dark.Brightness = -0.3
	f := newFeed(t)
	h := f.hear(liveSpec())
	f.write(head)
	h.pourUntil(f, blocks[:30])
	if h.live.SetModel("no-such-model") == nil {
		t.Error("a model is taken that there is not")
	}
	for _, err := range []error{h.live.SetModel(models.Default), h.live.SetStrength(0.5), h.live.SetFilters(dark, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f.pour(time.Now().Add(-blocks[30].at), blocks[30:])
	f.close()
	if err := h.end(); err != nil {
		t.Fatal(err)
	}
	s := h.live.Stats()
	if len(h.eye.packets)+int(s.Dropped) != frames || s.Model.Model != models.Default {
		t.Errorf("%d pictures, %d dropped, by %s", len(h.eye.packets), s.Dropped, s.Model.Model)
	}
	before, after := h.light(20), h.light(len(h.eye.packets)-1)
	if after > before-20 {
		t.Errorf("the light went from %.1f to %.1f", before, after)
	}
}

// light returns how bright a picture is.
func (h *heard) light(n int) float64 {
	h.t.Helper()
	part := &collector{inits: h.eye.collector.inits, packets: h.eye.packets[:n+1]}
	init := part.inits[0]
	raw := tool(h.t, bytes.NewReader(part.annexB()), "ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	last, sum := raw[len(raw)-init.Width*init.Height:], 0
	for _, v := range last {
		sum += int(v)
	}
	return float64(sum) / float64(len(last))
}

// TestLiveThatIsNone: what is no live stream, or no more, is refused with its code.
func TestLiveThatIsNone(t *testing.T) {
	t.Parallel()
	head, blocks := liveClip(t, 30, x264Live+"-c:a aac")
	var packets []byte
	for _, b := range only(2, blocks) {
		packets = append(packets, b.cluster()...)
	}
	for name, c := range map[string]struct {
		data []byte
		code Code
	}{
		"nothing":            {nil, CodeEmpty},
		"something else":     {bytes.Repeat([]byte("not a film "), 1000), CodeNotMedia},
		"a beginning":        {head, CodeDamaged},
		"half a beginning":   {head[:60], CodeDamaged},
		"sound alone":        {slices.Concat(head, packets), CodeDamaged},
		"pictures of no key": {append(slices.Clone(head), only(1, blocks)[3].cluster()...), CodeDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t)
			h := f.hear(liveSpec())
			f.write(c.data)
			f.close()
			if err := h.end(); CodeOf(err) != c.code {
				t.Errorf("it ended with %s: %v, want %s", CodeOf(err), err, c.code)
			}
		})
	}
	for name, bad := range map[string]func(*LiveSpec){
		"key frames": func(s *LiveSpec) { s.KeyFrames = 0 },
		"sound":      func(s *LiveSpec) { s.Sound = "mp3" },
		"strength":   func(s *LiveSpec) { s.Strength = 2 },
	} {
		s := liveSpec()
		bad(&s)
		if _, err := NewLive(Film{}, s, LiveOutput{}, playOptions()); CodeOf(err) != CodeSpec {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLiveEndsAtOnce ends streams at all moments: before a byte came, while it opens,
// while it plays, while nobody takes what it makes.
func TestLiveEndsAtOnce(t *testing.T) {
	t.Parallel()
	head, blocks := liveClip(t, 50, x264Live+"-c:a aac")
	halt := errors.New("halted")
	for name, play := range map[string]func(*heard, *liveFeed){
		"before it begins": func(*heard, *liveFeed) {},
		"in its beginning": func(_ *heard, f *liveFeed) { f.write(head[:50]) },
		"before a picture": func(_ *heard, f *liveFeed) { f.write(head) },
		"as it opens":      func(h *heard, f *liveFeed) { f.write(head); f.pour(time.Time{}, blocks[:4]); h.opens() },
		"as it plays":      func(h *heard, f *liveFeed) { f.write(head); h.pourUntil(f, blocks[:20]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t)
			h := f.hear(liveSpec())
			play(h, f)
			began := time.Now()
			h.cancel(halt)
			if err := h.end(); !errors.Is(err, halt) {
				t.Errorf("it ended with %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

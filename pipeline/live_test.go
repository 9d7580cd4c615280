package pipeline

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// eye keeps what came of a live picture, and when. It implements Output.
type eye struct {
	collector
	times  []time.Time   // of packets
	inits  []int         // of packets: which init they follow
	delay  time.Duration // that each packet takes
	block  chan struct{} // nil, or what the packet after so many waits for
	blocks int
}

// Packet implements Output.
func (e *eye) Packet(p Packet) error {
	e.mu.Lock()
	e.times, e.inits = append(e.times, time.Now()), append(e.inits, len(e.collector.inits)-1)
	wait := e.block != nil && len(e.times) == e.blocks
	e.mu.Unlock()
	if wait {
		<-e.block
	}
	awaitTime(time.Now().Add(e.delay))
	return e.collector.Packet(p)
}

// shown decodes all that came, form by form, and returns the numbers and the heights.
func (e *eye) shown(t testing.TB, rows int) (numbers, heights []int) {
	t.Helper()
	for i, init := range e.collector.inits {
		part := &collector{inits: []StreamInit{init}}
		for k, p := range e.packets {
			if e.inits[k] == i {
				part.packets = append(part.packets, p)
			}
		}
		if len(part.packets) == 0 {
			continue
		}
		if !part.packets[0].Key {
			t.Errorf("what follows init %d begins with no key frame", i)
		}
		for _, n := range part.numbers(t, float64(init.Height)/float64(rows)) {
			numbers, heights = append(numbers, n), append(heights, init.Height)
		}
	}
	return numbers, heights
}

// heard is what comes of a live stream.
type heard struct {
	t      testing.TB
	eye    eye
	ear    collector
	opened chan PlayPlan
	live   *Live
	ended  chan error
	cancel context.CancelCauseFunc
	stall  time.Duration // how long nothing may move
}

func liveSpec() LiveSpec {
	return LiveSpec{PlaySpec: playSpec(), Sound: LiveAAC, KeyFrames: time.Second}
}

// hear begins to make a live stream. before may change what takes it.
func (f *liveFeed) hear(s LiveSpec, before ...func(*heard)) *heard {
	f.t.Helper()
	h := &heard{t: f.t, opened: make(chan PlayPlan, 1), ended: make(chan error, 1), stall: 20 * time.Second}
	for _, change := range before {
		change(h)
	}
	out := LiveOutput{Opened: func(p PlayPlan) error { h.opened <- p; return nil }, Picture: &h.eye, Sound: &h.ear}
	o := playOptions()
	o.Stall = h.stall
	var err error
	if h.live, err = NewLive(Film{Name: "the stream", Reader: f.stream}, s, out, o); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(f.t.Context())
	h.cancel = cancel
	var done sync.WaitGroup
	done.Go(func() {
		err := h.live.Run(ctx)
		_ = f.stream.Close() // whoever writes is to know
		h.ended <- err
	})
	f.t.Cleanup(func() { cancel(nil); done.Wait() })
	return h
}

// end waits for the end.
func (h *heard) end() error {
	h.t.Helper()
	select {
	case err := <-h.ended:
		return err
	case <-time.After(60 * time.Second):
		h.t.Fatal("it does not end")
		return nil
	}
}

// whole waits for the end, which must be that of the stream, and holds the figures
// against each other.
func (h *heard) whole() (numbers []int, plan PlayPlan) {
	h.t.Helper()
	if err := h.end(); err != nil {
		h.t.Fatal(err)
	}
	plan = <-h.opened
	numbers, _ = h.eye.shown(h.t, plan.Media.Video.Height)
	s := h.live.Stats()
	if s.Encoded != int64(len(h.eye.packets)) || s.Upscaled != s.Encoded || s.Plain != 0 || s.Decoded > s.Encoded+s.Dropped {
		h.t.Errorf("%d packets, %+v, %d dropped", len(h.eye.packets), s.Progress, s.Dropped)
	}
	if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
		h.t.Errorf("pictures %v", numbers)
	}
	return numbers, plan
}

// opens waits until the stream is known.
func (h *heard) opens() PlayPlan {
	h.t.Helper()
	select {
	case p := <-h.opened:
		h.opened <- p
		return p
	case err := <-h.ended:
		h.t.Fatalf("it ended with %v", err)
	case <-time.After(30 * time.Second):
		h.t.Fatal("it does not open")
	}
	return PlayPlan{}
}

// liveClip draws a clip of 25 pictures a second, 320 × 180, and returns it as Matroska.
func liveClip(t testing.TB, frames int, args string) (head []byte, blocks []block) {
	t.Helper()
	return matroska(t, liveFile(t, testmedia.Spec{Width: 320, Height: 180, Frames: frames}, args+" in.mkv"))
}

func liveFile(t testing.TB, s testmedia.Spec, args string) string {
	t.Helper()
	s.Rate = testmedia.Ratio{Num: 25, Den: 1}
	return counted(t, s, strings.Fields(args)...)
}

const x264Live = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 "

// only returns the packets of a track.
func only(track byte, blocks []block) (all []block) {
	for _, b := range blocks {
		if b.track == track {
			all = append(all, b)
		}
	}
	return all
}

// TestLive makes streams of all kinds that come in real time: no picture is lost, and
// picture and sound keep their times.
func TestLive(t *testing.T) {
	t.Parallel()
	const frames = 60
	for name, c := range map[string]struct {
		args   string
		sound  LiveSound
		passed bool
	}{
		"H.264, AAC":              {x264Live + "-c:a aac", LiveAAC, true},
		"H.264, AAC to Opus":      {x264Live + "-c:a aac", LiveOpus, false},
		"H.264, Opus":             {x264Live + "-c:a libopus", LiveOpus, true},
		"H.264, Opus to AAC":      {x264Live + "-c:a libopus", LiveAAC, false},
		"H.264, MP3 to AAC":       {x264Live + "-c:a libmp3lame", LiveAAC, false},
		"H.264, MP2 to AAC":       {x264Live + "-c:a mp2", LiveAAC, false},
		"H.264, MP2 to Opus":      {x264Live + "-c:a mp2", LiveOpus, false},
		"H.264, AC-3 to AAC":      {x264Live + "-c:a ac3", LiveAAC, false},
		"H.264, AC-3 to Opus":     {x264Live + "-c:a ac3", LiveOpus, false},
		"H.264, E-AC-3 to AAC":    {x264Live + "-c:a eac3", LiveAAC, false},
		"H.264, E-AC-3 to Opus":   {x264Live + "-c:a eac3", LiveOpus, false},
		"H.264, MP3 to Opus":      {x264Live + "-c:a libmp3lame", LiveOpus, false},
		"H.264, surround to AAC":  {x264Live + "-ac 6 -c:a ac3", LiveAAC, false},
		"H.264, surround to Opus": {x264Live + "-ac 6 -c:a eac3", LiveOpus, false},
		"H.264, AAC that is left": {x264Live + "-c:a aac", LiveSilent, false},
		"H.264 alone":             {x264Live + "-an", LiveAAC, false},
		"VP8, Opus":               {"-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -g 25 -c:a libopus", LiveOpus, true},
		"H.264 out of order":      {"-c:v libx264 -preset veryfast -bf 2 -g 25 -c:a aac", LiveAAC, true},
		"HEVC":                    {"-c:v libx265 -preset ultrafast -x265-params log-level=error -an", LiveAAC, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head, blocks := liveClip(t, frames, c.args)
			f := newFeed(t)
			s := liveSpec()
			s.Sound = c.sound
			h := f.hear(s)
			f.write(head)
			f.pour(time.Now(), blocks)
			f.close()
			numbers, plan := h.whole()
			h.checkNumbers(numbers, frames)
			h.checkTimes(only(1, blocks))
			const baseline, constrained = 66, 0x40 // ISO/IEC 14496-10 §A.2.1.1
			if avcC := h.eye.collector.inits[0].Data; avcC[1] != baseline || avcC[2]&constrained == 0 {
				t.Errorf("its profile is %d with %#x", avcC[1], avcC[2])
			}
			if with := strings.Contains(c.args, "-c:a") && c.sound != LiveSilent; (len(plan.Audio) == 1) != with || !with && len(h.ear.packets) > 0 {
				t.Fatalf("sound %+v, %d packets", plan.Audio, len(h.ear.packets))
			} else if with {
				h.checkSound(plan.Audio[0], c.passed, only(2, blocks))
			}
		})
	}
}

// checkTimes holds pictures against the packets that they came in.
func (h *heard) checkTimes(blocks []block) {
	h.t.Helper()
	at := map[int64]bool{}
	for _, b := range blocks {
		at[liveTicks(b.at)] = true
	}
	last := int64(-1)
	for i, p := range h.eye.packets {
		if !at[p.PTS] || p.DTS != p.PTS || p.PTS <= last || p.Duration <= 0 || p.Duration > LiveTimeScale/10 {
			h.t.Errorf("picture %d at %d for %d", i, p.PTS, p.Duration)
		}
		last = p.PTS
	}
}

// checkSound holds sound against its packets: nothing is lost from the first picture
// on, and its times go on evenly.
func (h *heard) checkSound(s SoundPlan, passed bool, blocks []block) {
	h.t.Helper()
	channels := 2 // but for surround as AAC, which keeps all
	if capsInt(s.Caps, "channels") > 2 && s.Codec == SoundAAC {
		channels = 6
	}
	if s.Passed != passed || s.Rate != 48000 || s.Channels != channels || len(h.ear.inits) != 1 {
		h.t.Errorf("sound %+v, %d inits", s, len(h.ear.inits))
	}
	if opus := bytes.HasPrefix(h.ear.inits[0].Data, []byte("OpusHead")); opus != (s.Codec == SoundOpus) {
		h.t.Errorf("sound is to be decoded with %x", h.ear.inits[0].Data)
	}
	for i, p := range h.ear.packets {
		if i > 0 && p.PTS != h.ear.packets[i-1].PTS+h.ear.packets[i-1].Duration {
			h.t.Errorf("packet %d of sound at %d, after one at %d", i, p.PTS, h.ear.packets[i-1].PTS)
		}
	}
	first, last := h.ear.packets[0], h.ear.packets[len(h.ear.packets)-1]
	begin, end := s.samples(blocks[0].at), s.samples(blocks[len(blocks)-1].at)
	if early := 48000; first.PTS > begin+int64(early) || last.PTS < end-3*int64(s.FrameSamples()) {
		h.t.Errorf("sound from %d to %d, of %d to %d", first.PTS, last.PTS, begin, end)
	}
	if passed && !bytes.Equal(last.Data, blocks[len(blocks)-1].data) {
		h.t.Error("what is passed on is another")
	}
}

// TestLiveTransportStream makes a transport stream, which lists its sound apart.
func TestLiveTransportStream(t *testing.T) {
	t.Parallel()
	const frames = 75
	in := liveFile(t, testmedia.Spec{Width: 320, Height: 180, Frames: frames}, x264Live+"-c:a aac in.mkv")
	for name, c := range map[string]struct {
		args   string
		passed bool
		sounds int // at least
	}{
		"with sound":        {"-re -i IN -c copy", true, 120},
		"with sound late":   {"-re -i IN -itsoffset 1.5 -i IN -map 0:v -map 1:a -c copy", false, 50},
		"with sound of MP2": {"-re -i IN -c:v copy -c:a mp2", false, 120},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t)
			h := f.hear(liveSpec())
			f.ffmpeg(strings.Fields(strings.ReplaceAll(c.args, "IN", in) + " -f mpegts -flush_packets 1 -muxdelay 0")...)
			numbers, plan := h.whole()
			h.checkNumbers(numbers, frames)
			if plan.Media.Container != "MPEG-TS" {
				t.Errorf("it is %s", plan.Media.Container)
			}
			if len(plan.Audio) != 1 || plan.Audio[0].Passed != c.passed || len(h.ear.packets) < c.sounds {
				t.Errorf("sound %+v, %d packets", plan.Audio, len(h.ear.packets))
			}
			first, sound := h.eye.packets[0].PTS, h.ear.packets[0].PTS*LiveTimeScale/48000
			t.Logf("picture at %d, sound at %d", first, sound)
		})
	}
}

// checkNumbers holds pictures against those that there were: each is there or counted
// as dropped, on a machine that may be busy, and the newest is there.
func (h *heard) checkNumbers(numbers []int, frames int) {
	h.t.Helper()
	dropped := h.live.Stats().Dropped
	if len(numbers)+int(dropped) != frames || numbers[len(numbers)-1] != frames-1 {
		h.t.Errorf("%d pictures %v, %d dropped", len(numbers), numbers, dropped)
	}
	h.t.Logf("%d of %d pictures were dropped", dropped, frames)
}

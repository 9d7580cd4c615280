package worker

import (
	"context"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestOpened(t *testing.T) {
	s := begin(t)
	f := file(t, testFilm(t))
	s.send(wire.SourceFile, f)
	m := order(f)
	m.Costs = &wire.Costs{Model: nearest, Decode: 1, Upscale: 2, Encode: 3}
	o := *s.agreed(s.ask(func(id uint32) wire.Message { m.ID = id; return m })()).Opened
	last := time.Duration(filmFrames) * time.Second / filmRate
	if o.Container != "Matroska" || (o.Duration-last).Abs() > 30*time.Millisecond { // of sound, in frames of 21 ms
		t.Errorf("%s of %s, want %s", o.Container, o.Duration, last)
	}
	v := o.Video
	if o.Segment.Frames != filmRate || o.Segment.Ticks != v.TimeScale || v.Rate != [2]int{filmRate, 1} ||
		v.SourceSize != [2]int{filmWidth, filmHeight} || v.Size != [2]int{2 * filmWidth, 2 * filmHeight} || v.Scale != 2 ||
		v.Aspect != [2]int{1, 1} || v.Codec == "" || len(v.Decoder) == 0 || v.MaxRate == 0 {
		t.Errorf("picture %+v in segments of %+v", v, o.Segment)
	}
	if len(o.Audio) != 1 || len(o.Text) != 1 {
		t.Fatalf("%d tracks of sound, %d of text", len(o.Audio), len(o.Text))
	}
	if a := o.Audio[0]; !a.Passed || a.Rate != 48000 || a.Channels != 2 || a.FrameSamples != 1024 || !a.Default || a.Frames < int64(last.Seconds()*48000/1024)-1 {
		t.Errorf("sound %+v", a)
	}
	if o.Text[0].Bitmap {
		t.Errorf("text %+v", o.Text[0])
	}
	if want := m.Costs.Predict(v); o.Cost != want || o.Cost.CoreMS <= 0 {
		t.Errorf("cost %+v, want %+v", o.Cost, want)
	}
	s.stop()
}

// checkPictures holds what a run made against the pictures that it must have.
func checkPictures(t *testing.T, o wire.Opened, m made, from, to int) []shown {
	t.Helper()
	if len(m.inits) != 1 || m.inits[0].Width != o.Video.Size[0] || m.inits[0].Height != o.Video.Size[1] || m.inits[0].Codec[:5] != "avc1." {
		t.Fatalf("init %+v", m.inits)
	}
	length := o.Segment.Ticks / int64(o.Segment.Frames)
	for i, p := range m.packets {
		n := from + i
		if p.PTS != int64(n)*length || p.DTS != p.PTS || p.Duration != length || n%o.Segment.Frames == 0 && !p.Key {
			t.Fatalf("picture %d: pts %d dts %d duration %d key %v", n, p.PTS, p.DTS, p.Duration, p.Key)
		}
	}
	pictures := decode(t, o.Video.Size, m.packets)
	if len(pictures) != to-from {
		t.Fatalf("%d pictures, want %d to %d", len(pictures), from, to-1)
	}
	for i, p := range pictures {
		if p.number != from+i {
			t.Fatalf("picture %d shows %d", from+i, p.number)
		}
	}
	return pictures
}

// TestPlays plays each stream of a film from its begin and from its middle on.
func TestPlays(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	audio := o.Audio[0]
	for _, segment := range []int{0, 3} {
		pictures, sounds, texts := s.play(picture, segment, unlimited), s.play(sound, segment, unlimited), s.play(text, segment, unlimited)
		checkPictures(t, o, s.finished(pictures), segment*filmRate, filmFrames)

		m := s.finished(sounds)
		begin := int64(segment) * int64(audio.Rate)
		n := max(0, (begin-audio.First+1023)/1024)
		if len(m.inits) != 1 || m.inits[0].Codec != "mp4a.40.2" || int64(len(m.packets)) != audio.Frames-n {
			t.Errorf("segment %d: init %+v, %d frames of sound, want %d", segment, m.inits, len(m.packets), audio.Frames-n)
		}
		for i, p := range m.packets {
			if want := audio.First + (n+int64(i))*1024; p.PTS != want || p.DTS != want || p.Duration != 1024 || !p.Key {
				t.Fatalf("segment %d: sound at %d for %d, want %d", segment, p.PTS, p.Duration, want)
			}
		}

		m = s.finished(texts)
		want := []wire.Cue{
			{Run: texts, Start: 500 * time.Millisecond, End: 1500 * time.Millisecond, Text: "first"},
			{Run: texts, Start: 3 * time.Second, End: 4200 * time.Millisecond, Text: "<i>second</i>"},
		}
		if segment > 0 {
			want = want[1:]
		}
		if !slices.Equal(m.cues, want) || m.until < o.Duration {
			t.Errorf("segment %d: cues %+v until %s", segment, m.cues, m.until)
		}
	}
	s.wait("figures", func() bool {
		stats, ok := s.got[len(s.got)-1].(wire.Stats)
		return ok && stats.Encoded == 2*filmFrames-3*filmRate && stats.Upscaled >= stats.Encoded && stats.Plain == 0 && stats.Model == nearest &&
			stats.Provider != "" && stats.Threads > 1 && len(stats.Runs) == 0 && stats.P95 >= stats.Median && stats.Median > 0
	})
	s.stop()
}

// TestLimit has a run wait at its limit, go on from it, and be halted at it.
func TestLimit(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	run := s.play(picture, 1, 2)
	if m := s.waits(run); len(m.packets) != filmRate || m.ended != nil {
		t.Errorf("%d pictures before the limit", len(m.packets))
	}
	s.write(wire.Limit{Run: run, Segment: 4})
	s.wait("the new limit", func() bool { return len(s.of(run).packets) == 3*filmRate })
	m := s.waits(run)
	checkPictures(t, o, m, filmRate, 4*filmRate)
	s.write(wire.Halt{Run: run})
	m = s.whole(run)
	if !m.ended.Halted || m.ended.Error != nil || len(m.packets) != 3*filmRate {
		t.Errorf("%+v after %d pictures", m.ended, len(m.packets))
	}
	s.write(wire.Limit{Run: run, Segment: 5}) // which is late
	s.write(wire.Halt{Run: run})
	s.stop()
}

// TestPlayElsewhere begins a run of a stream that has one: that is halted first.
func TestPlayElsewhere(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	first := s.play(picture, 0, 1)
	s.waits(first)
	second := s.play(picture, 2, unlimited)
	third := s.begin(picture, 4, unlimited) // while the second is on its way
	s.agreed(third())
	last := s.last
	checkPictures(t, o, s.finished(last), 4*filmRate, filmFrames)
	for _, run := range []uint32{first, second} {
		if m := s.whole(run); !m.ended.Halted || m.ended.Error != nil || m.late {
			t.Errorf("run %d ended with %+v", run, m.ended)
		}
	}
	s.mu.Lock()
	ended := slices.IndexFunc(s.got, func(m wire.Message) bool { e, ok := m.(wire.Ended); return ok && e.Run == second })
	begun := slices.IndexFunc(s.got, func(m wire.Message) bool { i, ok := m.(wire.Init); return ok && i.Run == last })
	s.mu.Unlock()
	if begun < ended {
		t.Error("a run begins before the end of the one whose place it takes")
	}
	s.stop()
}

// TestPlayWithOtherSettings plays in another size, and from then on, too.
func TestPlayWithOtherSettings(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	run := s.play(picture, 0, unlimited, func(m *wire.Play) {
		u := upscaled(identity)
		m.Upscale = &u
	})
	o.Video.Size = [2]int{filmWidth, filmHeight}
	checkPictures(t, o, s.finished(run), 0, filmFrames)
	run = s.play(picture, 5, unlimited)
	checkPictures(t, o, s.finished(run), 5*filmRate, filmFrames)
	run = s.play(picture, 5, unlimited, func(m *wire.Play) { m.Video = &wire.Video{Height: 90, Quality: 10} })
	o.Video.Size = [2]int{filmWidth / 2, filmHeight / 2}
	if m := s.finished(run); len(m.inits) != 1 || m.inits[0].Height != 90 || len(m.packets) != filmFrames-5*filmRate {
		t.Errorf("%+v, %d pictures", m.inits, len(m.packets))
	}
	s.stop()
}

// TestBadPlays: one that the plan refuses is answered so; one whose stream is not
// there ends with it. Neither harms what runs.
func TestBadPlays(t *testing.T) {
	s := begin(t)
	s.refused("play before open", s.begin(picture, 0, 1)(), "bad_request")
	o := s.open(testFilm(t))
	good := s.play(picture, 0, 1)
	s.waits(good)
	again := s.begin(picture, 0, 1, func(m *wire.Play) { m.Run = good })
	s.refused("a number twice", again(), "bad_request")
	for name, bad := range map[string]func(*wire.Play){
		"strength": func(m *wire.Play) { u := upscaled(nearest); u.Strength = 2; m.Upscale = &u },
		"height":   func(m *wire.Play) { m.Video = &wire.Video{Height: -2, Quality: 10} },
		"burn":     func(m *wire.Play) { none := 0; m.Burn = &none },
		"cube":     func(m *wire.Play) { u := upscaled(nearest); u.Cube = []byte("no table"); m.Upscale = &u },
	} {
		s.refused(name, s.begin(picture, 0, 1, bad)(), "bad_request")
	}
	s.refused("model", s.begin(picture, 0, 1, func(m *wire.Play) { u := upscaled("none-x2"); m.Upscale = &u })(), "model_unknown")
	for _, stream := range []wire.Stream{{Kind: wire.StreamVideo, Index: 1}, {Kind: wire.StreamAudio, Index: 1}, {Kind: wire.StreamAudio, Index: -1}, {Kind: wire.StreamText, Index: 1}, {Kind: "smell"}} {
		if m := s.whole(s.play(stream, 0, 1)); m.ended.Error == nil || m.ended.Error.Code != "bad_request" {
			t.Errorf("%+v ended with %+v", stream, m.ended)
		}
	}
	if m := s.whole(s.play(sound, -1, 1)); m.ended.Error == nil || m.ended.Error.Code != "bad_request" {
		t.Errorf("segment -1 ended with %+v", m.ended)
	}
	s.write(wire.Limit{Run: good, Segment: unlimited})
	checkPictures(t, o, s.finished(good), 0, filmFrames)
	s.stop()
}

// remoteFilm is a film that the server reads for the worker.
type remoteFilm struct {
	io.ReaderAt
	size int64
	err  func(off int64) error
}

func (f remoteFilm) Size() int64 { return f.size }

func (f remoteFilm) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	if err := f.err(off); err != nil {
		return 0, err
	}
	return f.ReadAt(p, off)
}

// TestRemoteFilm plays a film that the server reads, until that fails.
func TestRemoteFilm(t *testing.T) {
	s := begin(t)
	f := file(t, testFilm(t))
	m := order(f)
	lost := make(chan struct{})
	film := remoteFilm{f, m.Size, func(int64) error {
		select {
		case <-lost:
			return &wire.Error{Code: "source_changed", Sentence: "The film was changed."}
		default:
			return nil
		}
	}}
	near, far, err := ranges.Pair()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- ranges.Serve(context.Background(), near, film) }()
	s.send(wire.SourceRanges, far)
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	o := *s.agreed(s.ask(func(id uint32) wire.Message { m.ID = id; return m })()).Opened
	checkPictures(t, o, s.finished(s.play(picture, 1, unlimited)), filmRate, filmFrames)
	close(lost)
	if m := s.whole(s.play(picture, 0, unlimited)); m.ended.Error == nil || m.ended.Error.Code != "source_changed" || m.ended.Error.Sentence != "The film was changed." {
		t.Errorf("ended with %+v", m.ended.Error)
	}
	s.stop()
	if err := <-served; err != nil {
		t.Errorf("the server's end: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	s := begin(t)
	c := s.agreed(s.ask(func(id uint32) wire.Message { return wire.Measure{ID: id, Model: nearest} })()).Costs
	if c == nil || c.Model != nearest || c.Decode <= 0 || c.Upscale <= 0 || c.Encode <= 0 || math.IsInf(c.Decode+c.Upscale+c.Encode, 0) || c.GPU != 0 {
		t.Errorf("%+v", c)
	}
	r := s.ask(func(id uint32) wire.Message { return wire.Measure{ID: id, Model: "none-x2"} })()
	s.refused("measure", r, "model_unknown")
	if !reflect.DeepEqual(r, wire.Reply{ID: r.ID, Error: r.Error}) {
		t.Errorf("more than an error: %+v", r)
	}
	s.stop()
}

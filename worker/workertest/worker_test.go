package workertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// server is the other end of a worker.
type server struct {
	t     *testing.T
	ends  wire.Ends
	conn  *wire.Conn
	ended chan error
}

// connect starts a worker and exchanges Hello.
func connect(t *testing.T) *server {
	t.Helper()
	near, far, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, ends: near, conn: wire.NewConn(near.Frames), ended: make(chan error, 1)}
	go func() { s.ended <- Serve(far) }()
	t.Cleanup(func() {
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-s.ended:
			t.Log("the worker ends with", err)
		case <-time.After(10 * time.Second):
			t.Error("the worker outlives its connection")
		}
	})
	s.write(wire.Hello{Version: wire.Version})
	if hello := s.next(); hello.(wire.Hello).Version != wire.Version {
		t.Fatalf("greeted with %+v", hello)
	}
	return s
}

// serveFilm starts a worker and opens a film.
func serveFilm(t *testing.T, film Film) (*server, *wire.Opened) {
	t.Helper()
	s := connect(t)
	path := filepath.Join(t.TempDir(), "film.json")
	if err := os.WriteFile(path, film.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := wire.SendSource(s.ends.Descriptors, wire.SourceFile, f); err != nil {
		t.Fatal(err)
	}
	s.write(wire.Open{
		ID: 1, Name: "film", Size: int64(len(film.Bytes())), Segment: time.Second, Burn: -1,
		Upscale: wire.Upscale{Model: "swift-s-x2", Strength: 1, Filters: filters.Neutral()},
	})
	return s, s.reply(1).Opened
}

func (s *server) write(m wire.Message) {
	s.t.Helper()
	if err := s.conn.Write(m); err != nil {
		s.t.Fatal(err)
	}
}

// next returns the next message that is no Stats.
func (s *server) next() wire.Message {
	s.t.Helper()
	for {
		if err := s.ends.Frames.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			s.t.Fatal(err)
		}
		m, err := s.conn.Read()
		if err != nil {
			s.t.Fatal(err)
		}
		if _, ok := m.(wire.Stats); !ok {
			return m
		}
	}
}

func (s *server) reply(id uint32) wire.Reply {
	s.t.Helper()
	r, ok := s.next().(wire.Reply)
	if !ok || r.ID != id {
		s.t.Fatalf("got %+v in place of reply %d", r, id)
	}
	return r
}

// distant is a film that is read through the server.
type distant struct {
	*bytes.Reader
	err error
}

func (d distant) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	return d.ReadAt(p, off)
}

// TestSourceOfRanges opens a film that is no file, and one that breaks.
func TestSourceOfRanges(t *testing.T) {
	for _, fault := range []error{nil, &wire.Error{Code: "source_gone", Sentence: "It is gone."}} {
		s := connect(t)
		conn, theirs, err := ranges.Pair()
		if err != nil {
			t.Fatal(err)
		}
		content := Film{Duration: Length(7 * time.Second)}.Bytes()
		served := make(chan error, 1)
		go func() {
			served <- ranges.Serve(t.Context(), conn, distant{bytes.NewReader(content), fault})
		}()
		err = wire.SendSource(s.ends.Descriptors, wire.SourceRanges, theirs)
		if err := errors.Join(err, theirs.Close()); err != nil {
			t.Fatal(err)
		}
		s.write(wire.Open{ID: 1, Size: int64(len(content))})
		r := s.reply(1)
		switch {
		case fault == nil && (r.Opened == nil || r.Opened.Duration != 7*time.Second):
			t.Errorf("opened as %+v", r)
		case fault != nil && (r.Error == nil || r.Error.Code != "source_gone"):
			t.Errorf("a broken source is answered by %+v", r)
		}
		if err := <-served; err != nil {
			t.Errorf("serving ends with %v", err)
		}
	}
}

// play starts a run and returns all that it sends.
func (s *server) play(stream wire.Stream, segment, limit int) (init wire.Init, packets []wire.Packet, cues []wire.Cue, end wire.Ended) {
	s.t.Helper()
	s.write(wire.Play{ID: 7, Run: 70, Stream: stream, Segment: segment, Limit: limit})
	if r := s.reply(7); r.Error != nil {
		s.t.Fatal(r.Error)
	}
	for {
		switch m := s.next().(type) {
		case wire.Init:
			init = m
		case wire.Packet:
			packets = append(packets, m)
		case wire.Cue:
			cues = append(cues, m)
		case wire.Ended:
			return init, packets, cues, m
		}
	}
}

// TestPicturesAreReal has FFmpeg decode what a run made and reads the numbers.
func TestPicturesAreReal(t *testing.T) {
	s, opened := serveFilm(t, Film{Duration: Length(4 * time.Second), Rate: [2]int{24000, 1001}})
	init, packets, _, end := s.play(wire.Stream{Kind: wire.StreamVideo}, 1, 100)
	if end.Error != nil || end.Halted || opened.Segment.Frames != 24 || len(packets) != 96-24 {
		t.Fatalf("%d packets, %+v, segments %+v", len(packets), end, opened.Segment)
	}
	for i, f := range pictures(t, opened.Video.Size, init, packets) {
		number, err := testmedia.ReadNumber(f, 1)
		if err != nil || number != 24+i {
			t.Fatalf("picture %d shows %d, %v", 24+i, number, err)
		}
		if corner(f) != Ground(1) {
			t.Fatalf("picture %d has ground %d, want %d", i, corner(f), Ground(1))
		}
		if want := int64(24+i) * 1001; packets[i].PTS*24000 != want*opened.Video.TimeScale || packets[i].Key != (i%24 == 0) {
			t.Fatalf("picture %d: %d ticks, key %v", i, packets[i].PTS, packets[i].Key)
		}
	}
}

// TestPicturesDependOnOthers proves that a packet that is not key is of no use alone.
func TestPicturesDependOnOthers(t *testing.T) {
	e := newEncoder(320, 180)
	key, next := e.picture(1, 100, true), e.picture(2, 100, false)
	if len(next)*4 > len(key) {
		t.Errorf("%d bytes after a key frame of %d: more than the difference", len(next), len(key))
	}
}

// TestEveryLevelIsMet draws each luma beside each of some others.
func TestEveryLevelIsMet(t *testing.T) {
	for want := range 256 {
		for _, predicted := range []int{0, 16, 127, 128, 235, 255} {
			if got := newEncoder(16, 16).residual(&bitWriter{}, predicted, byte(want)); got != byte(want) {
				t.Fatalf("%d from %d is shown as %d", want, predicted, got)
			}
		}
	}
}

func TestSoundIsReal(t *testing.T) {
	for _, channels := range []int{1, 2} {
		s, opened := serveFilm(t, Film{Duration: Length(3 * time.Second), Audio: []Sound{{Channels: channels}}})
		init, packets, _, _ := s.play(wire.Stream{Kind: wire.StreamAudio}, 0, 100)
		if int64(len(packets)) != opened.Audio[0].Frames || len(packets) != 141 { // 3 s × 48000 / 1024 = 140.6
			t.Fatalf("%d frames, told of %d", len(packets), opened.Audio[0].Frames)
		}
		var stream bytes.Buffer
		for i, p := range packets {
			if n, ok := FrameNumber(p.Data); !ok || n != uint32(i) || p.PTS != int64(i)*frameSamples {
				t.Fatalf("frame %d has number %d, %v, at %d", i, n, ok, p.PTS)
			}
			stream.Write(adts(init.CodecData, len(p.Data)))
			stream.Write(p.Data)
		}
		pcm := decode(t, stream.Bytes(), "aac", "-f", "s16le")
		if want := len(packets) * frameSamples * channels * 2; len(pcm) != want {
			t.Errorf("%d bytes of sound, want %d", len(pcm), want)
		}
	}
}

func TestSoundBeginsWithItsSegment(t *testing.T) {
	s, _ := serveFilm(t, Film{Duration: Length(5 * time.Second), Audio: []Sound{{Rate: 44100}}})
	_, packets, _, _ := s.play(wire.Stream{Kind: wire.StreamAudio}, 2, 100)
	// Segment 2 begins at 88200 samples; the first frame at or after it is number 87.
	if n, _ := FrameNumber(packets[0].Data); n != 87 || packets[0].PTS != 87*frameSamples {
		t.Errorf("begins with frame %d at %d", n, packets[0].PTS)
	}
}

func TestCues(t *testing.T) {
	s, _ := serveFilm(t, Film{Duration: Length(10 * time.Second), Text: []Titles{{}, {Every: Length(2 * time.Second)}}})
	_, _, cues, _ := s.play(wire.Stream{Kind: wire.StreamText, Index: 1}, 4, 100)
	want := []wire.Cue{
		{Run: 70, Start: 4 * time.Second, End: 5 * time.Second, Text: "track 1 cue 2"},
		{Run: 70, Start: 6 * time.Second, End: 7 * time.Second, Text: "track 1 cue 3"},
		{Run: 70, Start: 8 * time.Second, End: 9 * time.Second, Text: "track 1 cue 4"},
	}
	if len(cues) != len(want) || cues[0] != want[0] || cues[1] != want[1] || cues[2] != want[2] {
		t.Errorf("got %+v", cues)
	}
}

// TestLimitIsExact lets a run make what it may, for as long as it would in vain,
// and then the rest.
func TestLimitIsExact(t *testing.T) {
	s, _ := serveFilm(t, Film{Duration: Length(6 * time.Second)})
	s.write(wire.Play{ID: 2, Run: 1, Stream: wire.Stream{Kind: wire.StreamVideo}, Segment: 0, Limit: 2})
	s.reply(2)
	s.waiting(1, 2)
	s.write(wire.Limit{Run: 1, Segment: 3})
	s.waiting(1, 3)
	s.write(wire.Halt{Run: 1})
	if end, ok := s.next().(wire.Ended); !ok || !end.Halted || end.Run != 1 {
		t.Errorf("halted with %+v", end)
	}
}

// waiting reads packets until Stats say that a run waits, which must be before
// a segment of 24 pictures.
func (s *server) waiting(run uint32, segment int) {
	s.t.Helper()
	last := int64(-1)
	for {
		m, err := s.conn.Read()
		if err != nil {
			s.t.Fatal(err)
		}
		switch m := m.(type) {
		case wire.Packet:
			last = m.PTS/m.Duration + 1
		case wire.Stats:
			if len(m.Runs) == 1 && m.Runs[0].Waiting {
				if last != int64(24*segment) || m.Runs[0].Run != run {
					s.t.Fatalf("waits after %d pictures at limit %d: %+v", last, segment, m)
				}
				return
			}
		}
	}
}

func TestSetShows(t *testing.T) {
	s, opened := serveFilm(t, Film{Duration: Length(6 * time.Second)})
	s.write(wire.Play{ID: 2, Run: 1, Stream: wire.Stream{Kind: wire.StreamVideo}, Limit: 1})
	s.reply(2)
	init := s.next().(wire.Init)
	packets := make([]wire.Packet, 0, 48)
	for range 24 {
		packets = append(packets, s.next().(wire.Packet))
	}
	half, other := 0.5, "other-x4"
	s.write(wire.Set{ID: 3, Model: &other})
	if s.reply(3).Error == nil {
		t.Error("a model of another scale is taken")
	}
	s.write(wire.Set{ID: 4, Strength: &half})
	if r := s.reply(4); r.Error != nil {
		t.Fatal(r.Error)
	}
	s.write(wire.KeyFrame{ID: 5, Run: 1})
	s.reply(5)
	s.write(wire.Limit{Run: 1, Segment: 2})
	for range 24 {
		packets = append(packets, s.next().(wire.Packet))
	}
	shown := pictures(t, opened.Video.Size, init, packets)
	if before, after := corner(shown[23]), corner(shown[47]); before != Ground(1) || after != Ground(0.5) {
		t.Errorf("ground %d and then %d, want %d and %d", before, after, Ground(1), Ground(0.5))
	}
}

// TestVaryingRateKeepsSegments checks what a film of varying rate promises.
func TestVaryingRateKeepsSegments(t *testing.T) {
	s, opened := serveFilm(t, Film{Duration: Length(3500 * time.Millisecond), Rate: [2]int{0, 1}})
	_, packets, _, _ := s.play(wire.Stream{Kind: wire.StreamVideo}, 0, 100)
	var at int64
	keys := 0
	for _, p := range packets {
		if p.PTS != at || p.Key != (at%opened.Segment.Ticks == 0) {
			t.Fatalf("picture at %d, key %v, where %d is due", p.PTS, p.Key, at)
		}
		if at += p.Duration; p.Key {
			keys++
		}
	}
	if keys != 4 || at != 3500*90 {
		t.Errorf("%d segments until %d", keys, at)
	}
}

func TestTroubles(t *testing.T) {
	for _, kind := range []Kind{Abort, Kill, Exit, Noise, Huge, Surplus} {
		t.Run(string(kind), func(t *testing.T) {
			s, _ := serveFilm(t, Film{Trouble: Trouble{Kind: kind, After: 30}})
			s.write(wire.Play{ID: 2, Run: 1, Stream: wire.Stream{Kind: wire.StreamVideo}, Limit: 100})
			s.reply(2)
			pictures := 0
			for {
				m, err := s.conn.Read()
				_, isPacket := m.(wire.Packet)
				_, isStop := m.(wire.Stop)
				switch {
				case isPacket:
					pictures++
				case isStop && kind == Surplus, errors.Is(err, wire.ErrProtocol) && (kind == Noise || kind == Huge):
				case err != nil && (kind == Abort || kind == Kill || kind == Exit):
				case err != nil:
					t.Fatal(err)
				default:
					continue
				}
				if !isPacket {
					break
				}
			}
			if pictures != 30 {
				t.Errorf("%d pictures came before", pictures)
			}
		})
	}
}

func TestFailedRun(t *testing.T) {
	s, _ := serveFilm(t, Film{Trouble: Trouble{Kind: Fail, After: 5, Code: "damaged", Sentence: "It is damaged."}})
	_, packets, _, end := s.play(wire.Stream{Kind: wire.StreamVideo}, 0, 100)
	if len(packets) != 5 || end.Error == nil || end.Error.Code != "damaged" {
		t.Errorf("%d packets and %+v", len(packets), end)
	}
}

func TestNotMedia(t *testing.T) {
	if _, err := ParseFilm([]byte("RIFF")); err == nil {
		t.Error("RIFF is taken for a film")
	}
	if _, err := ParseFilm([]byte(`{"audio":[{"rate":1}]}`)); err == nil {
		t.Error("sound of 1 Hz is taken")
	}
}

func TestFilmRoundTrip(t *testing.T) {
	film := Film{Duration: Length(90 * time.Second), Trouble: Trouble{Kind: Mute, After: 3}}
	got, err := ParseFilm(film.Bytes())
	if err != nil || got.Duration != film.Duration || got.Trouble.Kind != Mute || got.Rate != [2]int{24, 1} {
		t.Errorf("%s becomes %+v, %v", film.Bytes(), got, err)
	}
}

// FuzzParseFilm opens whatever is taken for a film.
func FuzzParseFilm(f *testing.F) {
	f.Add(Film{}.Bytes())
	f.Add(Film{Rate: [2]int{0, 1}, Audio: []Sound{{Passed: true, First: 5}}, Text: []Titles{{}}}.Bytes())
	f.Add([]byte(`{"rate":[24000,1001],"duration":"5h59m","audio":[{"rate":7350,"channels":1}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		film, err := ParseFilm(content)
		if err != nil {
			return
		}
		opened := film.opened(wire.Open{Segment: time.Second})
		if opened.Duration < 0 || opened.Segment.Ticks <= 0 || opened.Video.TimeScale <= 0 {
			t.Errorf("%s is opened as %+v", content, opened)
		}
		for _, a := range opened.Audio {
			if a.Frames < 0 || a.First < 0 {
				t.Errorf("%s has sound %+v", content, a)
			}
		}
	})
}

// annexB makes a byte stream (H.264 annex B) of a run.
func annexB(init wire.Init, packets []wire.Packet) []byte {
	start := []byte{0, 0, 0, 1}
	sps := init.CodecData[8:][:binary.BigEndian.Uint16(init.CodecData[6:])]
	out := append(append([]byte(nil), start...), sps...)
	out = append(append(out, start...), init.CodecData[8+len(sps)+3:]...)
	for _, p := range packets {
		for data := p.Data; len(data) > 0; {
			end := 4 + binary.BigEndian.Uint32(data)
			out, data = append(append(out, start...), data[4:end]...), data[end:]
		}
	}
	return out
}

// adts returns the head of a frame of AAC in a stream of its own (ISO/IEC 14496-3 §1.A.2.2).
func adts(config []byte, size int) []byte {
	c := int(binary.BigEndian.Uint16(config))
	index, channels := c>>7&15, c>>3&15
	var w bitWriter
	w.u(16, 0xfff1)
	w.u(2, 1)
	w.u(4, uint32(index))
	w.u(1, 0)
	w.u(3, uint32(channels))
	w.u(4, 0)
	w.u(13, uint32(size+7))
	w.u(11, 0x7ff)
	w.u(2, 0)
	return w.out
}

// decode runs FFmpeg, which must have nothing to say, from a format to another.
func decode(t *testing.T, in []byte, from string, to ...string) []byte {
	t.Helper()
	args := append([]string{"-v", "warning", "-f", from, "-i", "-"}, to...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(args, "-")...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("ffmpeg: %v\n%s", err, said.String())
	}
	return out.Bytes()
}

// pictures has FFmpeg decode the packets of a run, each of which makes a picture.
func pictures(t *testing.T, size [2]int, init wire.Init, packets []wire.Packet) []frame.Frame {
	t.Helper()
	raw := decode(t, annexB(init, packets), "h264", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo")
	bytes := size[0] * size[1] * 3 / 2
	if len(raw) != bytes*len(packets) {
		t.Fatalf("%d bytes are decoded from %d packets, want %d each", len(raw), len(packets), bytes)
	}
	all := make([]frame.Frame, len(packets))
	for i := range all {
		f := frame.New(frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}, 1)
		rest := raw[i*bytes:]
		for p := range f.Planes {
			rest = rest[copy(f.Planes[p].Data, rest):]
		}
		all[i] = f
	}
	return all
}

// corner returns the luma at the bottom right, where macroblocks are cropped.
func corner(f frame.Frame) byte {
	return f.Planes[0].Data[len(f.Planes[0].Data)-1]
}

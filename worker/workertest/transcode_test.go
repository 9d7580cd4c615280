package workertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func prepare(size int64) wire.Prepare {
	return wire.Prepare{
		ID: 1, Name: "film", Size: size, Upscale: wire.Upscale{Model: "swift-s-x2", Strength: 0.5, Filters: filters.Neutral()},
		Output: wire.Output{Container: "mkv", Height: 480, Quality: -1, Track: -1, Stream: true},
	}
}

// pipe returns a pipe whose ends are closed with the test.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // they may be closed
	return r, w
}

// hand sends the worker's end of something, and closes this process's copy.
func (s *server) hand(kind wire.SourceKind, f *os.File) {
	s.t.Helper()
	if err := errors.Join(wire.SendSource(s.ends.Descriptors, kind, f), f.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// transcode has a worker transcode what it reads from a pipe, and returns the other
// end of its output.
func (s *server) transcode(m wire.Prepare, source []byte) *os.File {
	s.t.Helper()
	theirs, in := pipe(s.t)
	go func() {
		_, _ = in.Write(source) // the worker may not want all of it
		_ = in.Close()
	}()
	s.hand(wire.SourceStream, theirs)
	s.write(m)
	if r := s.reply(1); r.Error != nil || r.Prepared == nil || r.Prepared.Video.Size[1] != 480 {
		s.t.Fatalf("prepared as %+v", r)
	}
	out, theirs := pipe(s.t)
	s.hand(wire.SourceOutput, theirs)
	s.write(wire.Transcode{ID: 2, Run: 9})
	if r := s.reply(2); r.Error != nil {
		s.t.Fatal(r.Error)
	}
	return out
}

// outcome returns how the run ended, and what was told of it last.
func (s *server) outcome() (last wire.Written, end wire.Ended) {
	s.t.Helper()
	for {
		switch m := s.next().(type) {
		case wire.Written:
			last = m
		case wire.Ended:
			return last, m
		}
	}
}

func TestTranscodeOfAStream(t *testing.T) {
	film, fed := Film{Feed: 1000}, bytes.Repeat([]byte("pictures "), 3000)
	s := connect(t)
	got := make(chan []byte)
	out := s.transcode(prepare(-1), append(append(film.Bytes(), '\n'), fed...))
	go func() {
		all, _ := io.ReadAll(out) // compared below
		got <- all
	}()
	if all := <-got; !bytes.Equal(all, Transcoded(prepare(-1), film, fed)) || len(all) < 27*4096 {
		t.Errorf("%d bytes came", len(all))
	}
	last, end := s.outcome()
	if end.Error != nil || end.Halted || end.Run != 9 || last.Encoded != 27 || last.Position != 27*time.Second/24 {
		t.Errorf("%+v, %+v", last, end)
	}
	fed[20000]++ // no byte is passed over
	if other := Transcoded(prepare(-1), film, fed); bytes.Equal(other[20*4096:], Transcoded(prepare(-1), film, nil)) || len(other) < 27*4096 {
		t.Error("the output does not depend on what is fed")
	}
}

func TestTranscodeOfAFile(t *testing.T) {
	film := Film{Duration: Length(2 * time.Second)}
	content := mp4(film, false)
	source, output := filepath.Join(t.TempDir(), "film"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	s := connect(t)
	m := prepare(int64(len(content)))
	m.Output.Start, m.Output.Duration = time.Second, 500*time.Millisecond
	s.hand(wire.SourceFile, in)
	s.write(m)
	if r := s.reply(1); r.Prepared == nil || r.Prepared.Duration != 2*time.Second {
		t.Fatalf("%+v", r)
	}
	s.hand(wire.SourceOutput, out)
	s.write(wire.Transcode{ID: 2, Run: 9})
	s.reply(2)
	last, end := s.outcome()
	got, err := os.ReadFile(output)
	if err != nil || end.Error != nil || last.Encoded != 12 || !bytes.Equal(got, Transcoded(m, film, nil)) {
		t.Errorf("%v, %+v, %+v, %d bytes", err, last, end, len(got))
	}
}

// mp4 returns an MP4 file with a film in its index, which is at one of its ends.
func mp4(film Film, first bool) []byte {
	box := func(kind string, data []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(data))), kind...), data...)
	}
	index, media := box("moov", append(film.Bytes(), '\n')), box("mdat", make([]byte, 5000))
	if !first {
		index, media = media, index
	}
	return append(append(box("ftyp", []byte("isom")), index...), media...)
}

// TestIndexAtTheEndOfAStream is what no demuxer can read.
func TestIndexAtTheEndOfAStream(t *testing.T) {
	for _, first := range []bool{true, false} {
		s := connect(t)
		theirs, in := pipe(t)
		if _, err := in.Write(mp4(Film{}, first)); err != nil {
			t.Fatal(err)
		}
		s.hand(wire.SourceStream, theirs)
		s.write(prepare(-1))
		if r := s.reply(1); (r.Error == nil) != first {
			t.Errorf("index first: %t, %+v", first, r)
		}
	}
}

// TestOutputIsHeldBack lets the output wait for its reader, pauses it, and halts it
// there.
func TestOutputIsHeldBack(t *testing.T) {
	s := connect(t)
	out := s.transcode(prepare(-1), Film{Duration: Length(time.Hour)}.Bytes())
	s.write(wire.Limit{Run: 9, Segment: 0})
	buffer := make([]byte, 1<<20)
	for {
		if err := out.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(buffer); errors.Is(err, os.ErrDeadlineExceeded) {
			break // it is paused
		} else if err != nil {
			t.Fatal(err)
		}
	}
	s.write(wire.Limit{Run: 9, Segment: 1})
	if err := out.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(buffer); err != nil {
		t.Fatal(err)
	}
	s.write(wire.Halt{Run: 9}) // while it waits for a reader
	if _, end := s.outcome(); !end.Halted || end.Error != nil {
		t.Errorf("%+v", end)
	}
}

func TestFailedTranscode(t *testing.T) {
	s := connect(t)
	film := Film{Trouble: Trouble{Kind: Fail, After: 3, Code: "damaged", Sentence: "It is damaged."}}
	out := s.transcode(prepare(-1), film.Bytes())
	all, err := io.ReadAll(out)
	if want := Transcoded(prepare(-1), film, nil); err != nil || len(all) < 3*4096 || !bytes.HasPrefix(want, all) || len(all) > 4*4096 {
		t.Errorf("%v, %d bytes", err, len(all))
	}
	if _, end := s.outcome(); end.Error == nil || end.Error.Code != "damaged" {
		t.Errorf("%+v", end)
	}
}

// TestReaderOfTheOutputLeaves ends a run whose output nobody can read.
func TestReaderOfTheOutputLeaves(t *testing.T) {
	s := connect(t)
	out := s.transcode(prepare(-1), Film{Duration: Length(time.Hour)}.Bytes())
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if _, end := s.outcome(); end.Error == nil || end.Error.Code != "output_refused" {
		t.Errorf("%+v", end)
	}
}

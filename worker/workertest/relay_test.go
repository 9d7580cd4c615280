package workertest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// relayed starts a worker, gives it a stream, and returns the writer of the stream.
func relayed(t *testing.T, ask wire.Relay, tracks ...matroska.Track) (*server, *matroska.Writer, *os.File) {
	t.Helper()
	s := connect(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if err := errors.Join(wire.SendSource(s.ends.Descriptors, wire.SourceStream, r), r.Close()); err != nil {
		t.Fatal(err)
	}
	s.write(ask)
	m, err := matroska.NewWriter(w, tracks)
	if err != nil {
		t.Fatal(err)
	}
	return s, m, w
}

// take returns the next n messages.
func (s *server) take(n int) []wire.Message {
	s.t.Helper()
	all := make([]wire.Message, n)
	for i := range all {
		all[i] = s.next()
	}
	return all
}

var (
	picture = matroska.Track{Codec: matroska.AVC, CodecPrivate: []byte{1}, Width: 320, Height: 180}
	voice   = matroska.Track{Codec: matroska.AAC, CodecPrivate: []byte{17, 144}, Rate: 48000, Channels: 2}
)

func TestRelay(t *testing.T) {
	s, m, w := relayed(t, wire.Relay{
		ID: 1, Name: "cam", Upscale: wire.Upscale{Model: "swift-s-x2", Strength: 1}, Audio: wire.AudioAAC, KeyFrames: 100 * time.Millisecond,
	}, picture, voice)
	opened := s.reply(1).Opened
	if opened == nil || opened.Video.TimeScale != 90000 || opened.Duration != 0 || len(opened.Audio) != 1 {
		t.Fatalf("opened: %+v", opened)
	}
	var keys []bool
	write := func(at time.Duration) wire.Packet {
		t.Helper()
		if err := m.Write(0, at, at == 0, []byte{1}); err != nil {
			t.Fatal(err)
		}
		if at == 0 {
			if init := s.next().(wire.Init); init.Run != wire.RelayVideo || init.Width != 480 {
				t.Fatalf("init: %+v", init)
			}
		}
		p := s.next().(wire.Packet)
		keys = append(keys, p.Key)
		return p
	}
	for i := range int64(5) {
		at := time.Duration(i) * 40 * time.Millisecond
		if p := write(at); p.PTS != i*3600 {
			t.Errorf("picture %d at %d", i, p.PTS)
		}
	}
	s.write(wire.KeyFrame{ID: 2, Run: wire.RelayVideo})
	s.reply(2)
	write(200 * time.Millisecond)
	if want := []bool{true, false, false, true, false, true}; !slices.Equal(keys, want) {
		t.Errorf("key pictures: %v", keys)
	}
	if err := m.Write(1, 10*time.Millisecond, true, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if init := s.next().(wire.Init); init.Run != wire.RelayAudio || init.Codec != "mp4a.40.2" {
		t.Errorf("init: %+v", init)
	}
	if p := s.next().(wire.Packet); p.Run != wire.RelayAudio || p.PTS != 480 || p.Duration != 1024 {
		t.Errorf("sound: %+v", p)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if end := s.next(); end != (wire.Ended{Run: wire.RelayVideo}) {
		t.Errorf("ended: %+v", end)
	}
}

func TestRelayOpus(t *testing.T) {
	s, m, _ := relayed(t, wire.Relay{ID: 1, Upscale: wire.Upscale{Model: "swift-s-x2"}, Audio: wire.AudioOpus}, voice, picture)
	s.reply(1)
	if err := errors.Join(m.Write(0, 0, true, []byte{1}), m.Write(0, 40*time.Millisecond, true, []byte{1})); err != nil {
		t.Fatal(err)
	}
	all := s.take(4)
	if init := all[0].(wire.Init); init.Codec != "opus" || !bytes.HasPrefix(init.CodecData, []byte("OpusHead")) {
		t.Errorf("init: %+v", init)
	}
	for i, m := range all[1:] {
		if p := m.(wire.Packet); p.PTS != int64(i)*960 || p.Run != wire.RelayAudio {
			t.Errorf("packet %d: %+v", i, p)
		}
	}
	s.write(wire.Halt{Run: wire.RelayVideo})
	s.write(wire.KeyFrame{ID: 2, Run: wire.RelayVideo}) // whose answer says that both were read
	s.reply(2)
	if err := m.Write(1, 0, true, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if end := s.next(); end != (wire.Ended{Run: wire.RelayVideo, Halted: true}) {
		t.Errorf("ended: %+v", end)
	}
}

func TestRelayOfNoStream(t *testing.T) {
	s := connect(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(wire.SendSource(s.ends.Descriptors, wire.SourceStream, r), r.Close()); err != nil {
		t.Fatal(err)
	}
	s.write(wire.Relay{ID: 1, Name: "cam"})
	if _, err := io.WriteString(w, "This is no Matroska."); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if refused := s.reply(1).Error; refused == nil || refused.Code != "not_media" {
		t.Errorf("got %+v", refused)
	}
}

func FuzzFeed(f *testing.F) {
	var b bytes.Buffer
	m, err := matroska.NewWriter(&b, []matroska.Track{picture, voice})
	if err = errors.Join(err, m.Write(0, 0, true, []byte{1, 2}), m.Write(1, time.Second, true, []byte{3})); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, data []byte) {
		feed, err := newFeed(bytes.NewReader(data))
		for err == nil {
			_, err = feed.next()
		}
	})
}

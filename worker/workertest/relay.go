package workertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// relayScale is the time scale of a relay's picture, and opusSamples the length of an Opus packet.
const (
	relayScale  = 90000
	opusSamples = 960
)

// relay is a live stream: a picture for each that comes, its number that of its coming, and silence as long as there
// is sound.
type relay struct {
	worker  *worker
	ask     wire.Relay
	feed    *feed
	run     *run // of the picture
	encoder *encoder
	began   bool
	last    int64 // PTS of the last picture
	keyed   int64 // PTS of the last key picture
	shown   int   // pictures so far
	spoken  int64 // samples until which there is sound, -1: none yet
}

// takeRelay begins a relay, on a goroutine of its own: the feed's begin may be long in coming.
func (w *worker) takeRelay(m wire.Relay, all *sync.WaitGroup) error {
	kind, file, err := wire.ReceiveSource(w.ends.Descriptors)
	if err != nil {
		return err
	}
	if kind != wire.SourceStream {
		return errors.Join(fmt.Errorf("%w: a relay of %q", wire.ErrProtocol, kind), file.Close())
	}
	stream, err := pollable(file)
	if err != nil {
		return err
	}
	all.Go(func() {
		defer func() { _ = stream.Close() }() // it was only read
		ended := make(chan struct{})
		defer close(ended)
		all.Go(func() {
			select {
			case <-w.end:
				_ = stream.Close() // wakes who reads
			case <-ended:
			}
		})
		w.relay(m, stream)
	})
	return nil
}

// pollable returns a copy of a descriptor whose reads end when it is closed, and closes the other one.
func pollable(file *os.File) (*os.File, error) {
	defer func() { _ = file.Close() }() // the copy is read
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	copied := -1
	if err := errors.Join(raw.Control(func(fd uintptr) {
		if copied, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			err = unix.SetNonblock(copied, true)
		}
	}), err); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(copied), "feed"), nil
}

// relay answers, makes packets until the feed ends, and says how that came about.
func (w *worker) relay(m wire.Relay, stream io.Reader) {
	feed, err := newFeed(stream)
	if err != nil || !feed.has(trackVideo) {
		_ = w.reply(m.ID, &wire.Error{Code: "not_media", Sentence: m.Name + " is no stream.", Detail: fmt.Sprint(err)}) // the reader sees it
		return
	}
	film := &Film{Cost: 100} // so that several fit beside films
	film.fill()
	r := &relay{worker: w, ask: m, feed: feed, spoken: -1, run: &run{
		worker: w, id: wire.RelayVideo, film: film, limit: math.MaxInt, done: make(chan struct{}),
	}}
	w.mu.Lock()
	w.film, w.open = film, wire.Open{Upscale: m.Upscale, Video: m.Video}
	w.runs[wire.RelayVideo] = r.run
	w.mu.Unlock()
	if w.conn.Write(wire.Reply{ID: m.ID, Opened: r.opened()}) != nil {
		return
	}
	end := wire.Ended{Run: wire.RelayVideo}
	switch err := r.make(); {
	case errors.Is(err, errHalted):
		end.Halted = true
	case !errors.Is(err, io.EOF):
		end.Error = &wire.Error{Code: "damaged", Sentence: "The stream is damaged.", Detail: err.Error()}
	}
	w.mu.Lock()
	delete(w.runs, wire.RelayVideo)
	w.mu.Unlock()
	_ = w.conn.Write(end) // as above
}

// opened returns what a worker tells of a stream.
func (r *relay) opened() *wire.Opened {
	told := &wire.Opened{
		Container: "Matroska",
		Video: wire.VideoInfo{
			TimeScale: relayScale, Rate: [2]int{0, 1}, SourceSize: sourceSize, Size: sizeOf(r.ask.Upscale, r.ask.Video),
			Aspect: [2]int{1, 1}, Scale: scaleOf(r.ask.Upscale.Model), MaxRate: 400, Codec: "none", Decoder: []string{"arithmetic"},
		},
		Audio: []wire.AudioInfo{}, Text: []wire.TextInfo{}, Plan: []string{"The pictures are drawn."},
		Cost: wire.Cost{CoreMS: r.run.film.Cost, Upscale: r.run.film.Cost},
	}
	if r.audible() {
		told.Audio = append(told.Audio, wire.AudioInfo{Codec: "none", Rate: 48000, Channels: 2, FrameSamples: int(r.frame()), BitRate: 16000, Default: true})
	}
	return told
}

// audible reports whether there is sound and it is wanted.
func (r *relay) audible() bool {
	return r.feed.has(trackAudio) && (r.ask.Audio == wire.AudioAAC || r.ask.Audio == wire.AudioOpus)
}

// frame returns the length of a frame of sound in samples.
func (r *relay) frame() int64 {
	if r.ask.Audio == wire.AudioOpus {
		return opusSamples
	}
	return frameSamples
}

var errHalted = errors.New("halted")

// make makes packets of what comes.
func (r *relay) make() error {
	for {
		b, err := r.feed.next()
		if err != nil {
			return err
		}
		switch {
		case b.kind == trackVideo:
			key, end := r.run.begin(0, b.at.Seconds())
			if end != finished {
				return errHalted
			}
			err = r.picture(b.at, key)
		case b.kind == trackAudio && r.audible():
			err = r.sound(b.at)
		}
		if err != nil {
			return err
		}
	}
}

// picture makes the picture of a time. One that does not come after the one before is passed over.
func (r *relay) picture(at time.Duration, key bool) error {
	w, pts := r.worker, int64(at)*relayScale/int64(time.Second)
	if r.began && pts <= r.last {
		return nil
	}
	if !r.began {
		size := w.size()
		r.encoder = newEncoder(size[0], size[1])
		name, data := r.encoder.codec()
		if err := w.conn.Write(wire.Init{
			Run: wire.RelayVideo, Codec: name, CodecData: data, Width: size[0], Height: size[1], Aspect: [2]int{1, 1}, Colour: "bt709",
		}); err != nil {
			return err
		}
	}
	every := int64(r.ask.KeyFrames) * relayScale / int64(time.Second)
	key = key || !r.began || every > 0 && pts-r.keyed >= every
	duration := int64(relayScale / 25)
	if r.began {
		duration = pts - r.last
	}
	r.began, r.last = true, pts
	if key {
		r.keyed = pts
	}
	p := wire.Packet{Run: wire.RelayVideo, Key: key, PTS: pts, DTS: pts, Duration: duration}
	if key { // parameter sets come in front of each key frame
		for _, set := range [][]byte{r.encoder.sps(), pps()} {
			p.Data = append(binary.BigEndian.AppendUint32(p.Data, uint32(len(set))), set...)
		}
	}
	p.Data = append(p.Data, r.encoder.picture(r.shown, w.countPicture(), key)...)
	r.shown++
	return w.conn.Write(p)
}

// sound makes silence up to a time.
func (r *relay) sound(at time.Duration) error {
	w, until := r.worker, samples(at, 48000)
	if r.spoken < 0 {
		r.spoken = until
		init := wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2", CodecData: audioConfig(48000, 2)}
		if r.ask.Audio == wire.AudioOpus {
			init.Codec, init.CodecData = "opus", opusHead
		}
		if err := w.conn.Write(init); err != nil {
			return err
		}
	}
	for ; r.spoken <= until; r.spoken += r.frame() {
		data := opusSilence
		if r.ask.Audio != wire.AudioOpus {
			data = silence(2, uint32(r.spoken/frameSamples))
		}
		p := wire.Packet{Run: wire.RelayAudio, Key: true, PTS: r.spoken, DTS: r.spoken, Duration: r.frame(), Data: data}
		if err := w.conn.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// opusHead is the identification header of two channels (RFC 7845 §5.1), and opusSilence a packet of 20 ms of them
// without sound (RFC 6716 §3).
var (
	opusHead    = append([]byte("OpusHead\x01\x02"), 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)
	opusSilence = []byte{0xfc, 0xff, 0xfe}
)

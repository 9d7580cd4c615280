package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/playback"
)

// liveLength is that of the clip which live sources repeat: no picture is so late that
// its number comes again meanwhile.
const liveLength = 20 * time.Second

// liveScale is what MPEG-TS and RTP count in a second.
const liveScale = 90000

// liveTicks returns the time of picture i of a transport stream, whose clock begins
// before it.
func liveTicks(i int) int64 { return int64(i+filmRate) * liveScale / filmRate }

// liveClip is pictures as a camera encodes them: NAL units of each, by the number that
// is drawn in it.
type liveClip [][][]byte

// drawLive draws the clip into a folder and returns it.
func drawLive(ctx context.Context, folder string) (liveClip, error) {
	clip, err := testmedia.NewCounted(testmedia.Spec{
		Width: filmWidth, Height: filmHeight, Rate: testmedia.Ratio{Num: filmRate, Den: 1}, Frames: frames(liveLength),
	})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, fmt.Sprintf("live-%dp.ts", filmHeight))
	if err := pipeline.Record(ctx, pipeline.Recording{
		Path: path, Layout: clip.Layout, Rate: pipeline.Fraction{Num: filmRate, Den: 1},
		Frames: clip.Frames, Quality: usualQuality, KeyFrames: filmRate, AAC: true, Live: true,
	}, clip); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	return readLive(file)
}

// readLive reads the pictures of a transport stream.
func readLive(from io.Reader) (clip liveClip, err error) {
	reader := &mpegts.Reader{R: from}
	if err := reader.Initialize(); err != nil {
		return nil, err
	}
	for _, track := range reader.Tracks() {
		if _, is := track.Codec.(*codecs.H264); is {
			reader.OnDataH264(track, func(_, _ int64, au [][]byte) error {
				clip = append(clip, au)
				return nil
			})
		}
	}
	for {
		if err := reader.Read(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	if len(clip) != frames(liveLength) {
		return nil, fmt.Errorf("%d pictures in place of %d were drawn", len(clip), frames(liveLength))
	}
	return clip, nil
}

// numbered is a picture that came.
type numbered struct {
	number int
	at     time.Time
}

// readNumbers decodes a stream of pictures that are scale times as large as they were
// drawn, and returns their numbers.
func readNumbers(ctx context.Context, path string, scale float64) (numbers []int, err error) {
	err = pipeline.Frames(ctx, path, func(p pipeline.Picture) error {
		if p.Frame.Width != int(filmWidth*scale) || p.Frame.Height != int(filmHeight*scale) {
			return fmt.Errorf("picture %d has %d×%d pixels", len(numbers), p.Frame.Width, p.Frame.Height)
		}
		number, err := testmedia.ReadNumber(p.Frame, scale)
		if err != nil {
			return fmt.Errorf("picture %d: %w", len(numbers), err)
		}
		numbers = append(numbers, number)
		return nil
	})
	return numbers, err
}

// besideCamera runs a server beside a live source that sends the clip to whoever asks
// for it, and does something with both; live orders a session of the source.
func (b *sessionBench) besideCamera(ctx context.Context, do func(ctx context.Context, d *daemon.Daemon, cam *sender, live playback.Order) error) error {
	clip, err := drawLive(ctx, b.dir)
	if err != nil {
		return err
	}
	cam := &sender{clip: clip, sent: map[int]time.Time{}}
	source := httptest.NewServer(cam)
	defer source.Close()
	set := map[string]string{"media.http.hosts": source.Listener.Addr().String(), "admission.share": "1"}
	return b.serve(ctx, set, func(ctx context.Context, d *daemon.Daemon) error {
		return do(ctx, d, cam, playback.Order{Source: source.URL + "/clip.ts", Live: true, Model: b.model})
	})
}

// sender sends the pictures of a clip over and over, in real time.
type sender struct {
	clip liveClip
	mu   sync.Mutex
	sent map[int]time.Time // guarded by mu: when, by the number
}

// run hands over each picture when it is due, until ctx ends.
func (s *sender) run(ctx context.Context, send func(i int, au [][]byte) error) error {
	begun := time.Now()
	for i := 0; ; i++ {
		if err := pause(ctx, time.Until(begun.Add(time.Duration(i)*time.Second/filmRate))); err != nil {
			return err
		}
		number := i % len(s.clip)
		s.mu.Lock()
		s.sent[number] = time.Now()
		s.mu.Unlock()
		if err := send(i, s.clip[number]); err != nil {
			return err
		}
	}
}

// ServeHTTP sends the clip as a transport stream.
func (s *sender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	track := &mpegts.Track{Codec: &codecs.H264{}}
	stream := &mpegts.Writer{W: w, Tracks: []*mpegts.Track{track}}
	if err := stream.Initialize(); err != nil {
		panic(http.ErrAbortHandler)
	}
	out := http.NewResponseController(w)
	_ = s.run(r.Context(), func(i int, au [][]byte) error { // it ends with who asked
		at := liveTicks(i)
		return errors.Join(stream.WriteH264(track, at, at, au), out.Flush())
	})
}

// delays returns how late pictures came, in milliseconds, and the share of those sent
// meanwhile that came.
func (s *sender) delays(came []numbered) (all []float64, share float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range came {
		sent, known := s.sent[p.number]
		if !known || p.at.Before(sent) {
			return nil, 0, fmt.Errorf("picture %d came before it was sent", p.number)
		}
		all = append(all, milliseconds(p.at.Sub(sent)))
	}
	if len(came) < filmRate {
		return nil, 0, fmt.Errorf("%d pictures came in %s", len(came), watched)
	}
	lasted := s.sent[came[len(came)-1].number].Sub(s.sent[came[0].number])
	return all, float64(len(came)-1) / math.Round(lasted.Seconds()*filmRate), nil
}

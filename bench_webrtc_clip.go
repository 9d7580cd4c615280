package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/pipeline"
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

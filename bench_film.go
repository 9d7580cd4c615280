package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/pipeline"
)

// The films that sessions are measured with and soaked in: 24 pictures a second,
// H.264 and AAC, a few drawn seconds over and over.
const (
	filmWidth  = 640
	filmHeight = 360
	filmRate   = 24
	filmScene  = 5 * time.Second // what is drawn
)

// drawFilm writes a film into a folder, with a key frame every so many seconds, and
// returns its path.
func drawFilm(ctx context.Context, folder string, length time.Duration, keyFrames int) (string, error) {
	scene, err := testmedia.NewDetail(testmedia.Spec{
		Width: 2 * filmWidth, Height: 2 * filmHeight, Rate: testmedia.Ratio{Num: filmRate, Den: 1}, Frames: frames(filmScene),
	})
	if err != nil {
		return "", err
	}
	loop, err := newLoop(scene)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, fmt.Sprintf("film-%dp-%s-keys-%ds.mkv", filmHeight, length, keyFrames))
	return path, pipeline.Record(ctx, pipeline.Recording{
		Path: path, Layout: testmedia.Shrunk(scene.Layout), Rate: pipeline.Fraction{Num: filmRate, Den: 1},
		Frames: frames(length), Quality: usualQuality, KeyFrames: keyFrames * filmRate, AAC: true,
	}, loop)
}

func frames(length time.Duration) int { return int(length * filmRate / time.Second) }

// loop repeats the pictures of a clip, at half their size.
type loop struct {
	*testmedia.Clip
	pictures []frame.Frame
}

// newLoop draws a clip.
func newLoop(clip *testmedia.Clip) (*loop, error) {
	h, err := newHalf(clip)
	if err != nil {
		return nil, err
	}
	l := &loop{Clip: clip}
	for i := range clip.Frames {
		picture := frame.New(testmedia.Shrunk(clip.Layout), 1)
		if err := h.Draw(i, picture); err != nil {
			return nil, err
		}
		l.pictures = append(l.pictures, picture)
	}
	return l, nil
}

// Draw copies picture i into dst.
func (l *loop) Draw(i int, dst frame.Frame) error {
	picture := l.pictures[i%len(l.pictures)]
	for p := range picture.Format.Planes() {
		_, rows := picture.PlaneSize(p)
		frame.CopyRows(dst.Planes[p], picture.Planes[p], picture.RowBytes(p), rows)
	}
	return nil
}

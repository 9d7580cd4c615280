package main

import (
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/pipeline"
)

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames int64
		length time.Duration
		p      pipeline.Progress
		want   string
	}{
		{"nothing yet", 100, 10 * time.Second, pipeline.Progress{}, "0/100 frames, 0.0 fps"},
		{
			"midway", 100, 10 * time.Second,
			pipeline.Progress{Elapsed: 2 * time.Second, Position: time.Second, Encoded: 10},
			"10/100 frames, 5.0 fps, 0.50× real time, ETA 18s",
		},
		{
			"length unknown", 0, 0,
			pipeline.Progress{Elapsed: 2 * time.Second, Position: time.Second, Encoded: 10},
			"10 frames, 5.0 fps, 0.50× real time",
		},
		{
			"plain frames are told", 100, 10 * time.Second,
			pipeline.Progress{Elapsed: 10 * time.Second, Position: 10 * time.Second, Encoded: 100, Plain: 3},
			"100/100 frames, 10.0 fps, 1.00× real time, 3 PLAIN",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &textDisplay{frames: c.frames, length: c.length}
			if got := d.line(c.p); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLinesWithoutATerminal(t *testing.T) {
	var out strings.Builder
	d := &textDisplay{w: &out, said: time.Now()}
	d.progress(pipeline.Progress{Encoded: 1})
	if out.Len() > 0 {
		t.Errorf("a line came at once: %s", &out)
	}
	d.said = time.Now().Add(-lineEvery)
	d.progress(pipeline.Progress{Encoded: 2})
	d.progress(pipeline.Progress{Encoded: 3})
	if got := strings.Count(out.String(), "\n"); got != 1 {
		t.Errorf("%d lines:\n%s", got, &out)
	}
}

func TestExpected(t *testing.T) {
	film := pipeline.Media{Duration: 10 * time.Second, Video: pipeline.Video{Rate: pipeline.Fraction{Num: 24, Den: 1}}}
	for _, c := range []struct {
		name            string
		start, duration time.Duration
		frames          int64
	}{
		{"all", 0, 0, 240},
		{"from the middle", 5 * time.Second, 0, 120},
		{"a part", 5 * time.Second, 2 * time.Second, 48},
		{"more than there is", 5 * time.Second, time.Minute, 120},
		{"behind the end", time.Minute, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := expected(&job.Job{Plan: pipeline.Plan{Media: film, Spec: pipeline.Spec{Start: c.start, Duration: c.duration}}})
			if got != c.frames {
				t.Errorf("%d frames, want %d", got, c.frames)
			}
		})
	}
}

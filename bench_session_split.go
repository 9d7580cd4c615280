package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/playback"
)

const (
	splitLength = 45 * time.Second // of the film that both make
	splitBegin  = 10 * time.Second // of it are made before the clock starts
	splitKeys   = "5s"             // as transcode has them
	anyRate     = 200_000          // kbit/s: as good as no bound, which a transcode has not
)

// split measures what it costs that a session's picture is made in a process of
// its own, cut into segments and sent over HTTP: its throughput against that of a
// transcode, in pairs, one after the other. The encoder does the same in both: x264
// of speed fast with a session's quality, a key frame every five seconds, no bound
// of the rate. A session as it is by default, with a key frame every second and its
// rate bounded, is told beside it.
func (b *sessionBench) split(ctx context.Context) error {
	path, err := drawFilm(ctx, b.dir, splitLength, keyFrames[0])
	if err != nil {
		return err
	}
	alike := map[string]string{"hls.segment": splitKeys, "sessions.read_ahead": "10m"}
	usual := map[string]string{"sessions.read_ahead": "10m"}
	return b.serve(ctx, alike, func(ctx context.Context, alike *daemon.Daemon) error {
		if err := b.settle(ctx, alike); err != nil { // two that measure the machine at once would measure each other
			return err
		}
		return b.serve(ctx, usual, func(ctx context.Context, usual *daemon.Daemon) error { return b.compare(ctx, alike, usual, path) })
	})
}

// compare makes a film in turns.
func (b *sessionBench) compare(ctx context.Context, alike, usual *daemon.Daemon, path string) error {
	quality, rate := pipeline.PlayQuality, anyRate
	order := playback.Order{Source: "films/" + filepath.Base(path), Model: b.model}
	same := order
	same.Output = playback.Output{Quality: &quality, MaxRate: &rate}
	var transcode, session, ratios, usualRatios []float64
	for range b.runs {
		t, err := b.transcodeRate(ctx, path)
		if err != nil {
			return err
		}
		s, err := b.sessionRate(ctx, alike, same)
		if err != nil {
			return err
		}
		u, err := b.sessionRate(ctx, usual, order)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.a.stderr, "transcode %.1f, session that encodes alike %.1f, session %.1f pictures a second\n", t, s, u)
		transcode, session = append(transcode, t), append(session, s)
		ratios, usualRatios = append(ratios, s/t), append(usualRatios, u/t)
	}
	b.most("transcode", "pictures a second", 0, transcode...)
	b.most("session that encodes alike", "pictures a second", 0, session...)
	b.add("session over transcode, pair by pair", "", ratios, askedSplit, true)
	b.most("session as by default over transcode", "", 0, usualRatios...)
	return nil
}

// transcodeRate transcodes the film and returns the pictures a second after its
// beginning.
func (b *sessionBench) transcodeRate(ctx context.Context, path string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "transcode", path, "--output", filepath.Join(b.dir, "out.mkv"), "--force", "--json",
		"--speed", string(pipeline.Fast), "--video-codec", string(pipeline.H264), "--quality", fmt.Sprint(pipeline.PlayQuality), "--model", b.model)
	cmd.Stderr = b.a.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var from, last progressEvent
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e progressEvent
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Event != "progress" {
			continue
		}
		if from.Encoded == 0 && e.Position >= splitBegin.Seconds() {
			from = e
		}
		last = e
	}
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("the transcode to measure failed: %w", err)
	}
	if from.Encoded == 0 || last.Elapsed <= from.Elapsed {
		return 0, fmt.Errorf("the transcode to measure told too little of its progress")
	}
	return float64(last.Encoded-from.Encoded) / (last.Elapsed - from.Elapsed), nil
}

// sessionRate plays the film to its end as fast as it comes and returns the
// pictures a second after its beginning.
func (b *sessionBench) sessionRate(ctx context.Context, d *daemon.Daemon, o playback.Order) (float64, error) {
	if err := b.settle(ctx, d); err != nil {
		return 0, err
	}
	p, err := b.begin(ctx, d, o)
	if err != nil {
		return 0, err
	}
	var from time.Time
	var made time.Duration
	for k, s := range p.film.Video.Segments {
		if k > 0 {
			if _, _, err := fetchBoth(ctx, d, p.film, k, time.Now()); err != nil {
				return 0, err
			}
		}
		switch {
		case !from.IsZero():
			made += s.Duration
		case s.Begin+s.Duration >= splitBegin:
			from = time.Now()
		}
	}
	rate := made.Seconds() * filmRate / time.Since(from).Seconds()
	return rate, d.Delete(ctx, p.session.ID)
}

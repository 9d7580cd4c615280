package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/pipeline"
)

// What the remote endpoint is asked for.
const (
	askedFirstByte = 1000 // ms
	askedRemote    = 0.97 // of a local transcode's throughput
	askedBuffers   = 64   // MiB, of server and worker
)

const (
	throttled     = 64 << 10 // bytes that a slow reader takes in a second
	throttledFor  = 30 * time.Second
	throttledFrom = 5 * time.Second // when the pipeline is filled and memory is first looked at
)

// remote measures the transcoding endpoint: how soon a result comes, how fast it is
// against a transcode on the spot, and what a slow reader costs.
func (b *sessionBench) remote(ctx context.Context) error {
	path, err := drawFilm(ctx, b.dir, splitLength, keyFrames[0])
	if err != nil {
		return err
	}
	return b.serve(ctx, nil, func(ctx context.Context, d *daemon.Daemon) error {
		for _, measure := range []func(context.Context, *daemon.Daemon, string) error{b.firstBytes, b.remoteRates, b.slowReader} {
			if err := measure(ctx, d, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// query asks for what a transcode at the same settings makes.
func (b *sessionBench) query() string {
	return url.Values{
		"model": {b.model}, "speed": {string(pipeline.Fast)}, "video_codec": {string(pipeline.H264)}, "container": {string(pipeline.Matroska)},
		"quality": {fmt.Sprint(pipeline.PlayQuality)},
	}.Encode()
}

// firstBytes measures the time from the first byte of a body until the first of the
// result, with a warm worker.
func (b *sessionBench) firstBytes(ctx context.Context, d *daemon.Daemon, path string) error {
	var took []float64
	for range b.runs {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		body, err := os.Open(path)
		if err != nil {
			return err
		}
		begun := time.Now()
		result, err := d.Transcode(ctx, b.query(), body)
		if err == nil {
			_, err = io.ReadFull(result, make([]byte, 1))
			took = append(took, milliseconds(time.Since(begun)))
			err = errors.Join(err, result.Close())
		}
		if err = errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	b.most("transcode of a body: first byte in → first byte out", "ms", askedFirstByte, took...)
	return nil
}

// remoteRates compares the endpoint with a transcode on the spot, in pairs.
func (b *sessionBench) remoteRates(ctx context.Context, d *daemon.Daemon, path string) error {
	var rates, ratios []float64
	for range b.runs {
		local, err := b.transcodeRate(ctx, path)
		if err != nil {
			return err
		}
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		far, err := b.remoteRate(ctx, d, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.a.stderr, "transcode %.1f, transcode of a body %.1f pictures a second\n", local, far)
		rates, ratios = append(rates, far), append(ratios, far/local)
	}
	b.most("transcode of a body", "pictures a second", 0, rates...)
	b.add("transcode of a body over transcode, pair by pair", "", ratios, askedRemote, true)
	return nil
}

// remoteRate returns the pictures a second after the film's beginning, as
// transcodeRate does.
func (b *sessionBench) remoteRate(ctx context.Context, d *daemon.Daemon, path string) (float64, error) {
	body, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // only read from
	result, err := d.Transcode(ctx, b.query(), body)
	if err != nil {
		return 0, err
	}
	defer func() { _ = result.Close() }() // read to its end, or an error tells
	begin := int64(frames(splitBegin))
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, result)
		read <- err
	}()
	var at time.Time
	var from int64
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-read:
			if err == nil && from == 0 {
				err = errors.New("the result came before any of its progress")
			}
			return float64(int64(frames(splitLength))-from) / time.Since(at).Seconds(), err
		case <-poll.C:
			s, err := d.Session(ctx, result.Session)
			if err != nil {
				return 0, err
			}
			if from == 0 && s.Progress != nil && s.Progress.Encoded >= begin {
				at, from = time.Now(), s.Progress.Encoded
			}
		}
	}
}

// slowReader takes a result slowly, and measures by how much the memory of server
// and worker grows meanwhile, and how much they have.
func (b *sessionBench) slowReader(ctx context.Context, d *daemon.Daemon, path string) error {
	if err := b.settle(ctx, d); err != nil {
		return err
	}
	body, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // only read from
	spares, err := d.Process.Children()
	if err != nil || len(spares) != 1 {
		return errors.Join(err, fmt.Errorf("%d spare workers in place of one", len(spares)))
	}
	result, err := d.Transcode(ctx, b.query(), body)
	if err != nil {
		return err
	}
	defer func() { _ = result.Close() }() // it is broken off
	var first, most float64
	for begun := time.Now(); time.Since(begun) < throttledFor; {
		if _, err := io.CopyN(io.Discard, result, throttled/4); err != nil {
			return fmt.Errorf("the film was over before the reader was: %w", err)
		}
		if err := pause(ctx, time.Second/4); err != nil {
			return err
		}
		if time.Since(begun) < throttledFrom {
			continue
		}
		server, err := d.Process.RSS()
		worker, err2 := spares[0].RSS()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		now := float64(server+worker) / mebi
		if first == 0 {
			first = now
		}
		most = max(most, now)
	}
	b.most(fmt.Sprintf("slow reader: growth of the memory of server and worker over %s", throttledFor-throttledFrom), "MiB", askedBuffers, most-first)
	b.most("slow reader: memory of server and worker, most", "MiB", 0, most)
	return nil
}

package pipeline

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// spec is a request for the fastest work that still has an upscaler in it.
func spec() Spec {
	return Spec{
		Container: Matroska, Model: "nearest-x2", Scale: 2, Provider: "cpu", Strength: 1, Codec: H264, Quality: -1,
		Speed: Fast, Threads: Threads{Decode: 1, Upscale: 1, Encode: 1},
	}
}

// transcode makes the file that s asks for and returns what was planned, what
// came of it and its path.
func transcode(t testing.TB, in string, s Spec) (Plan, Result, string) {
	t.Helper()
	p, res, err := tryTranscode(t, in, &s)
	if err != nil {
		t.Fatalf("transcode %s: %v\n%s", in, err, p.Graph)
	}
	return p, res, s.Output
}

// tryTranscode fills in s.Output.
func tryTranscode(t testing.TB, in string, s *Spec) (Plan, Result, error) {
	t.Helper()
	if s.Output == "" {
		s.Output = filepath.Join(t.TempDir(), "out."+string(s.Container))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	m, err := Probe(ctx, in)
	if err != nil {
		return Plan{}, Result{}, err
	}
	p, err := NewPlan(m, *s, Has)
	if err != nil {
		return Plan{}, Result{}, err
	}
	res, err := Runner{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Stall: 20 * time.Second}.Run(ctx, p)
	if err == nil {
		err = Finish(ctx, p)
	}
	return p, res, err
}

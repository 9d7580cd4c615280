package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
)

// Options say what is soaked.
type Options struct {
	Folder  string        // of the programs
	Film    string        // path of the film that is played
	For     time.Duration // of both rounds
	Players int           // that try at once; more than are let in, so that some are refused
	Seed    uint64
	Out     io.Writer // gets a line a minute, and the summary
	Log     io.Writer // gets the server's log; nil: it is lost
}

const (
	// firstRound is the share of the time that the first round takes.
	firstRound = 0.25
	// answer bounds each request: sessions.start_timeout bounds the server's wait for
	// a segment, and the rest is for a machine that is busy with more sessions than
	// the one.
	answer = 25 * time.Second
	// idle is sessions.idle: how soon a session ends that its player left.
	idle = 5 * time.Second
	// failing bounds the time from a worker's end until its session has failed.
	failing = 5 * time.Second
	// leaving bounds the time until nothing is left of a round.
	leaving = 30 * time.Second
	// thorough is how long everything that happens at random happens for sure.
	thorough = 3 * time.Minute
)

// soak is one run.
type soak struct {
	Options
	d      *daemon.Daemon
	dir    string // for the cache, the workers' temporary files and the models
	tally  tally
	models models
}

// Run soaks a server. The error joins all that was found wrong.
func Run(ctx context.Context, o Options) (err error) {
	s := &soak{Options: o, tally: tally{counts: map[string]int{}, failed: map[string]bool{}}}
	s.say("soak: %s, %d players, seed %d\n", o.For, o.Players, o.Seed)
	if s.dir, err = os.MkdirTemp("", "upscaled-soak-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	for _, folder := range []string{s.temporary(), s.cache(), s.catalogue()} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
	}
	if s.models, err = writeModels(s.catalogue()); err != nil {
		return err
	}
	if s.d, err = daemon.Start(ctx, s.options()); err != nil {
		return err
	}
	err = s.rounds(ctx)
	stopped := s.d.Stop()
	return errors.Join(err, stopped, s.orphans())
}

// say prints. With the terminal gone there is nobody to tell.
func (s *soak) say(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format, args...) }

func (s *soak) temporary() string { return filepath.Join(s.dir, "tmp") }
func (s *soak) cache() string     { return filepath.Join(s.dir, "cache") }
func (s *soak) catalogue() string { return filepath.Join(s.dir, "models") }

func (s *soak) options() daemon.Options {
	return daemon.Options{
		Folder: s.Folder, Films: filepath.Dir(s.Film), Cache: s.cache(), Log: s.Log, Temporary: s.temporary(),
		Set: map[string]string{"sessions.idle": idle.String(), "sessions.start_timeout": "20s", "models.path": s.catalogue()},
	}
}

// rounds plays both rounds and compares what is left of them.
func (s *soak) rounds(ctx context.Context) error {
	if _, err := s.settle(ctx); err != nil {
		return err
	}
	first := time.Duration(firstRound * float64(s.For))
	var left []Traces
	for i, length := range []time.Duration{first, s.For - first} {
		s.round(ctx, uint64(i), length)
		traces, err := s.settle(ctx)
		if err != nil {
			s.tally.fault("after round %d: %v", i+1, err)
		}
		left = append(left, traces)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	s.say("left after the first round: %s\nleft after the second: %s\n", left[0], left[1])
	s.say("in all: %s\n", s.tally.line())
	if err := left[0].grew(left[1]); err != nil {
		s.tally.fault("the server holds more after the second round: %v", err)
	}
	return s.tally.verdict(s.For >= thorough)
}

// round has players and the killer at work for a time, and returns when they are
// done.
func (s *soak) round(ctx context.Context, number uint64, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	for i := range s.Players {
		all.Go(func() { s.play(ctx, s.random(number, uint64(i+1))) })
	}
	all.Go(func() { s.kill(ctx, s.random(number, 0)) })
	all.Go(func() { s.report(ctx) })
	all.Wait()
}

// killEvery returns how often a worker is killed, on average.
func (s *soak) killEvery() time.Duration { return min(12*time.Second, s.For/8) }

// random returns the numbers of one who acts at random in a round.
func (s *soak) random(round, who uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.Seed, round<<32|who)) //nolint:gosec // to be repeated, not to be secret
}

// report prints a line a minute.
func (s *soak) report(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			traces, err := s.traces(ctx)
			if err != nil {
				s.tally.fault("the server tells nothing of itself: %v", err)
				continue
			}
			s.say("%s: %s; server %s\n", now.Sub(begun).Round(time.Second), s.tally.line(), traces)
		}
	}
}

// sleep waits and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

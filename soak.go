package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/upscaled-media/upscaled/e2e/soak"
	"github.com/upscaled-media/upscaled/job"
)

// soakCommand soaks the server beside this program, in a film that it draws.
type soakCommand struct {
	For     time.Duration `default:"10m" help:"How long."`
	Players int           `default:"5" help:"Players that try at once; more than the machine has room for."`
	Seed    uint64        `help:"Of all that is random; drawn and printed by default."`
	Log     string        `placeholder:"FILE" help:"Where the server's log goes."`
}

// soakFilm is long enough that most seeks lead to what is not made.
const soakFilm = 2 * time.Minute

// Run soaks.
func (c *soakCommand) Run(ctx context.Context, a *app) (err error) {
	if err := a.open(); err != nil {
		return job.WithCode(err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "upscaled-soak-film-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	film, err := drawFilm(ctx, dir, soakFilm, keyFrames[0])
	if err != nil {
		return err
	}
	o := soak.Options{Folder: filepath.Dir(self), Film: film, For: c.For, Players: c.Players, Seed: c.Seed, Out: a.stdout}
	if o.Seed == 0 {
		o.Seed = rand.Uint64() //nolint:gosec // to be repeated, not to be secret
	}
	if c.Log != "" {
		log, err := os.Create(c.Log)
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }() // what is missing is seen by who reads it
		o.Log = log
	}
	return soak.Run(ctx, o)
}

package session

import (
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Request is what a client asks of Manager.Create. Its values must be within their
// ranges: those of names are the Starter's and the worker's to judge, those of
// numbers the API's.
type Request struct {
	Owner    string // who may see the session; not told to a worker
	Source   string // as Starter knows it
	Settings Settings
	Sound    wire.AudioMode // that all sound is delivered as: AudioAAC, which "" is, or AudioOpus
	Audio    int            // number of the track that is the default, -1: the film's
	Text     int            // number of the subtitles that are the default, -1: the film's
	Start    time.Duration
}

func (r Request) check() error {
	switch {
	case r.Source == "":
		return fmt.Errorf("%w: no source", ErrRequest)
	case r.Start < 0:
		return fmt.Errorf("%w: start at %s", ErrRequest, r.Start)
	}
	return nil
}

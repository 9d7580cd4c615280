package webrtc

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// waiting is how many pictures may wait for a worker that does not read. When there are more all of them are dropped,
// and the picture goes on with a key frame: the newest counts.
const waiting = 32

// errSize ends a feed whose pictures have become others: a stream of Matroska has them of one codec and size.
var errSize = &wire.Error{Code: "size_changed", Sentence: "What the page sends has changed its size or codec. Begin another session."}

// feed hands pictures from the goroutine that receives them to the one that writes them to a worker.
type feed struct {
	pictures chan fed
}

// fed is a picture with its time on the line.
type fed struct {
	picture
	format *format
	at     time.Duration
}

func newFeed() *feed { return &feed{pictures: make(chan fed, waiting)} }

// push takes a picture, and reports whether there was room. It never waits.
func (f *feed) push(p fed) bool {
	select {
	case f.pictures <- p:
		return true
	default:
	}
	for {
		select {
		case <-f.pictures:
		default:
			return false
		}
	}
}

// write writes the pictures as Matroska until ctx ends or w does, or they become others, which errSize says.
func (f *feed) write(ctx context.Context, w io.Writer) error {
	var out *matroska.Writer
	var track matroska.Track
	for {
		var p fed
		select {
		case p = <-f.pictures:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.key {
			now, err := p.format.track(p.data)
			switch {
			case err != nil:
				return fmt.Errorf("a browser's picture: %w", err)
			case out == nil:
				track = now
				if out, err = matroska.NewWriter(w, []matroska.Track{track}); err != nil {
					return err
				}
			case now.Codec != track.Codec || now.Width != track.Width || now.Height != track.Height:
				return errSize
			}
		}
		if out == nil {
			continue
		}
		if err := out.Write(0, p.at, p.key, p.data); err != nil {
			return err
		}
	}
}

package webrtc

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/server/ingest"
	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// What may wait for a worker that does not read. When there is more all of it is dropped, and the picture goes on with a
// key frame: the newest counts.
const (
	waiting      = 32       // pictures
	waitingBytes = 16 << 20 // two of the largest
)

// errCodec ends a feed whose pictures are of another codec than before: a stream of Matroska has them of one. Of which
// size they are stands in each key frame.
var errCodec = &wire.Error{Code: string(source.CodeChanged), Sentence: "What the page sends has changed its codec. Begin another session."}

// feed hands pictures from the goroutine that receives them to the one that writes them to a worker.
type feed struct {
	pictures chan fed
	bytes    atomic.Int64  // of pictures
	begun    chan struct{} // closed with the first key frame
	begin    func()        // closes it
	dropped  atomic.Int64  // pictures that came and are not written
	newest   atomic.Int64  // time of the picture that came last, in nanoseconds
}

// fed is a picture with its time on the line.
type fed struct {
	picture
	format *format
	at     time.Duration
}

func newFeed() *feed {
	f := &feed{pictures: make(chan fed, waiting), begun: make(chan struct{})}
	f.begin = sync.OnceFunc(func() { close(f.begun) })
	return f
}

// push takes a picture, and reports whether there was room. It never waits. One goroutine calls it.
func (f *feed) push(p fed) bool {
	f.newest.Store(int64(p.at))
	if p.key {
		f.begin()
	}
	if f.bytes.Add(int64(len(p.data))) <= waitingBytes {
		select {
		case f.pictures <- p:
			return true
		default:
		}
	}
	f.bytes.Add(-int64(len(p.data)))
	f.dropped.Add(1)
	for {
		select {
		case old := <-f.pictures:
			f.bytes.Add(-int64(len(old.data)))
			f.dropped.Add(1)
		default:
			return false
		}
	}
}

// figures tell how the feed goes.
func (f *feed) figures() ingest.Figures {
	return ingest.Figures{Dropped: ingest.Dropped{Pictures: f.dropped.Load()}, Newest: time.Duration(f.newest.Load())}
}

// write writes the pictures as Matroska until ctx ends or w does, or the codec changes, which errCodec says.
func (f *feed) write(ctx context.Context, w io.Writer) error {
	var out *matroska.Writer
	var codec matroska.Codec
	for {
		var p fed
		select {
		case p = <-f.pictures:
			f.bytes.Add(-int64(len(p.data)))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.key {
			track, err := p.format.track(p.data)
			switch {
			case err != nil:
				return fmt.Errorf("a browser's picture: %w", err)
			case out == nil:
				codec = track.Codec
				if out, err = matroska.NewWriter(w, []matroska.Track{track}); err != nil {
					return err
				}
			case track.Codec != codec:
				return errCodec
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

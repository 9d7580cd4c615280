package workertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// maxFilm bounds what is read of a source, in bytes.
const maxFilm = 1 << 20

// readSource receives a descriptor and reads what it is of.
func readSource(descriptors *net.UnixConn, size int64) ([]byte, error) {
	kind, f, err := wire.ReceiveSource(descriptors)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if kind == wire.SourceRanges {
		return readRanges(f, min(size, maxFilm), size)
	}
	return readAll(f, min(size, maxFilm))
}

// readRanges asks the server for a film.
func readRanges(f *os.File, n, size int64) ([]byte, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	client := ranges.NewClient(conn, size)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	content, err := readAll(client, n)
	cancel()
	if end := <-ended; err == nil && !errors.Is(end, context.Canceled) {
		err = end
	}
	return content, err
}

func readAll(r io.ReaderAt, n int64) ([]byte, error) {
	content := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, n), content); err != nil {
		return nil, fmt.Errorf("%w: %w", errSource, err)
	}
	return content, nil
}

// errSource is wrapped by errors of the source, which are not the worker's end.
var errSource = errors.New("source cannot be read")

// sourceError returns what the server said of a source, or that it cannot be read.
func sourceError(err error) *wire.Error {
	if said, ok := errors.AsType[*wire.Error](err); ok {
		return said
	}
	return &wire.Error{Code: "source_unreadable", Sentence: "The source cannot be read.", Detail: err.Error()}
}

package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// readHTTP reads what an http or https URL gives: a transport stream, or the playlist of one that comes in pieces.
func (i *Intake) readHTTP(ctx context.Context, l *line) error {
	client := i.o.Outside.Client()
	defer client.CloseIdleConnections()
	if listed(path.Ext(i.url.Path)) {
		return i.readHLS(ctx, l, client)
	}
	response, err := i.get(ctx, client)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read from only
	body := &heard{r: response.Body, line: l, ends: response.ContentLength >= 0}
	begin := bufio.NewReaderSize(body, 32<<10)
	if isPlaylist(response.Header, begin) {
		return i.readHLS(ctx, l, client)
	}
	err = i.readTS(l, begin)
	var told *wire.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case body.err != nil && !errors.Is(body.err, io.EOF):
		return again(body.err, "the connection to %q broke off", i.name)
	case errors.As(err, &told):
		return err
	case body.ends:
		return errEnd // all of what had a length from the begin on has come
	}
	return again(err, "the connection to %q broke off", i.name)
}

// get asks for the URL.
func (i *Intake) get(ctx context.Context, client *http.Client) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "upscaled")
	response, err := client.Do(request) // its own URL is not told on: the error is given a sentence
	if err != nil {
		return nil, unreachable(i.name, because(ctx, err))
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, status(i.name, response.StatusCode)
	}
	return response, nil
}

// listed reports whether an extension is that of a playlist.
func listed(extension string) bool {
	return strings.EqualFold(extension, ".m3u8") || strings.EqualFold(extension, ".m3u")
}

// isPlaylist reports whether an answer is a playlist (RFC 8216 §4, §10).
func isPlaylist(header http.Header, body *bufio.Reader) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if strings.HasSuffix(strings.ToLower(kind), "mpegurl") {
		return true
	}
	begin, _ := body.Peek(len("#EXTM3U"))
	return string(begin) == "#EXTM3U"
}

// errBroken is what those who parse are told of the end of a connection.
var errBroken = errors.New("connection has ended")

// heard keeps the error of a reader, which those who parse wrap in their own words, and bounds what they may gather
// for one picture.
type heard struct {
	r        io.Reader
	line     *line
	ends     bool  // an end of file is the stream's: it had a length from the begin on
	err      error // of r
	pictures int64 // of the line, when bytes was 0
	bytes    int
}

// Read implements io.Reader.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if count := h.line.count(); count != h.pictures {
		h.pictures, h.bytes = count, 0
	}
	if h.bytes += n; h.bytes > queueBytes && err == nil {
		err = fmt.Errorf("%d bytes without a picture", h.bytes)
	}
	if err != nil {
		h.err = err
		if !h.ends || !errors.Is(err, io.EOF) {
			err = errBroken // not the end of a file, at which the begin of a picture would be taken for all of it
		}
	}
	return n, err
}

// ticks returns a time in ticks of a rate as a duration, 0 where a source says no rate.
func ticks(t int64, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	r := int64(rate)
	return time.Duration(t/r)*time.Second + time.Duration(t%r)*time.Second/time.Duration(r)
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// What the library may hold, in bytes. It reads pieces ahead of their pictures, of a low-latency playlist as fast as the
// server gives them.
const (
	maxPiece   = 32 << 20     // of a playlist, a segment and a part, which it holds whole
	maxAhead   = 4 * maxPiece // of all that no picture has come of yet
	perPicture = 1 << 20      // of what came, done with when a picture comes; most have less
)

// readHLS reads a playlist and what it lists until it breaks off.
func (i *Intake) readHLS(ctx context.Context, l *line, client *http.Client) error {
	watched := &watched{below: client.Transport, name: i.name, line: l}
	client.Transport = watched
	quiet := func(string) {}
	hls := &gohlslib.Client{
		URI: i.url.String(), HTTPClient: client,
		OnRequest:                 func(r *http.Request) { r.Header.Set("User-Agent", "upscaled") },
		OnDownloadPrimaryPlaylist: quiet, OnDownloadStreamPlaylist: quiet, OnDownloadSegment: quiet, OnDownloadPart: quiet,
		OnDecodeError: func(err error) { i.log.Debug("segment damaged", "source", i.name, "error", err) },
	}
	found := false
	hls.OnTracks = func(tracks []*gohlslib.Track) error {
		defer l.rescue()
		found = true
		return i.chooseHLS(l, hls, tracks)
	}
	if err := hls.Start(); err != nil {
		return final(CodeNotMedia, err, "%q is no playlist", i.name)
	}
	stop := context.AfterFunc(ctx, hls.Close)
	defer stop()
	var err, closed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		closed = hls.Wait2()
	}()
	select {
	case err = <-l.trouble:
		hls.Close()
		<-ended
	case <-ended:
		err = l.because(closed)
	}
	return i.hlsError(ctx, err, watched, found)
}

// hlsError says why a client of HLS ended. It has no types for that; what came over the network is known.
func (i *Intake) hlsError(ctx context.Context, err error, network *watched, found bool) error {
	failed := network.failed()
	var told *wire.Error
	var refused *source.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, gohlslib.ErrClientEOS):
		return errEnd
	case errors.As(err, &told): // of our own callbacks
		return err
	case errors.As(err, &refused): // a redirect, which the client and not its transport sees
		return unreachable(i.name, err)
	case failed != nil:
		return failed
	case found:
		return again(err, "the segments of %q do not come as its playlist says", i.name)
	}
	return final(CodeNotMedia, err, "%q is no playlist of H.264 or H.265", i.name)
}

// chooseHLS takes the first picture, and the first sound that can be carried.
func (i *Intake) chooseHLS(l *line, client *gohlslib.Client, tracks []*gohlslib.Track) error {
	var picture sets
	var sound *matroska.Track
	heard := false // there is sound
	shown := &sequel{intake: i}
	for _, track := range tracks {
		take := func(pts, _ int64, au [][]byte) {
			defer l.rescue()
			if shown.has(client.AbsoluteTime(track)) {
				return
			}
			l.note(l.picture(ticks(pts, track.ClockRate), au))
		}
		switch codec := track.Codec.(type) {
		case *codecs.H264:
			if picture.codec == "" {
				picture = sets{codec: matroska.AVC, sps: codec.SPS, pps: codec.PPS}
				client.OnDataH26x(track, take)
			}
		case *codecs.H265:
			if picture.codec == "" {
				picture = sets{codec: matroska.HEVC, vps: codec.VPS, sps: codec.SPS, pps: codec.PPS}
				client.OnDataH26x(track, take)
			}
		case nil:
			// In fMP4 the library (2.3.2) makes tracks also of codecs that it does not know, and ends the process when
			// something comes on them. What is taken for Opus is handed on as it is, here to nobody.
			track.Codec = &codecs.Opus{}
			heard = true
		default:
			if sound == nil {
				sound = soundHLS(l, client, track)
			}
			heard = true
		}
	}
	if picture.codec == "" {
		return final(CodeNoVideo, nil, "%q has no picture that can be taken in; H.264 and H.265 can", i.name)
	}
	sounds := silent
	switch {
	case sound != nil:
		sounds = announced
	case heard:
		i.mute(carried)
	}
	l.tracks(picture, sound, sounds)
	return nil
}

// sequel is what a playlist has that is taken up again a few segments behind its newest. Where it says what time of day its
// segments are of, pictures that were shown are not shown again.
type sequel struct {
	intake *Intake
	begun  bool
	until  time.Time // what was shown by then is passed over
}

// has reports whether a picture of a time of day was shown before this connection, and keeps that it is shown now. Pictures
// come in real time, the passed over as well: when they last too long, as those of a clock that was set back do, none is,
// or the connection would be taken for a dead one. Nor is any where the first does not tell its time: then that is shown.
func (s *sequel) has(day time.Time, told bool) bool {
	last := &s.intake.shown
	if !s.begun {
		s.begun = true
		if told && last.Sub(day) < s.intake.o.Stall/2 {
			s.until = *last
		}
	}
	if !told {
		return false
	}
	if !day.After(s.until) {
		return true
	}
	*last = day
	return false
}

// soundHLS describes a track of sound and has its frames go to the line; nil where it cannot be carried.
func soundHLS(l *line, client *gohlslib.Client, track *gohlslib.Track) *matroska.Track {
	switch codec := track.Codec.(type) {
	case *codecs.MPEG4Audio:
		described := aac(&codec.Config)
		if described == nil {
			return nil
		}
		client.OnDataMPEG4Audio(track, func(pts int64, frames [][]byte) {
			defer l.rescue()
			l.note(l.frames(ticks(pts, track.ClockRate), ticks(mpeg4audio.SamplesPerAccessUnit, described.Rate), frames))
		})
		return described
	case *codecs.Opus:
		described := opus(codec.ChannelCount)
		if described == nil {
			return nil
		}
		client.OnDataOpus(track, func(pts int64, packets [][]byte) {
			defer l.rescue()
			l.note(l.packets(ticks(pts, track.ClockRate), packets))
		})
		return described
	}
	return nil
}

// watched is a transport that keeps what went wrong, and lets no answer be larger than maxPiece, and all together not by
// more than maxAhead larger than what pictures came of.
type watched struct {
	below http.RoundTripper
	name  string
	line  *line

	mu       sync.Mutex
	last     error // guarded by mu, as all below: nil after an answer that is one
	ahead    int64 // bytes that no picture has come of
	pictures int64 // of the line, when that was counted
}

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.below.RoundTrip(r)
	switch {
	case err != nil:
		w.note(unreachable(w.name, err), err)
		return nil, err
	case response.StatusCode >= http.StatusBadRequest:
		w.note(status(w.name, response.StatusCode), nil)
	default:
		w.note(nil, nil)
	}
	response.Body = &piece{ReadCloser: response.Body, left: maxPiece, watched: w}
	return response, nil
}

// note keeps what became of a request, unless that is its own end.
func (w *watched) note(err error, cause error) {
	if errors.Is(cause, context.Canceled) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
}

func (w *watched) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// count counts bytes that came. The error is that of a server that sends too many, and ends the connection: the library
// would first show all that it has.
func (w *watched) count(n int) error {
	pictures := w.line.count()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = max(0, w.ahead-(pictures-w.pictures)*perPicture) + int64(n)
	w.pictures = pictures
	if w.ahead <= maxAhead {
		return nil
	}
	err := again(fmt.Errorf("%d bytes ahead of the pictures", w.ahead), "%q sends more than its pictures need", w.name)
	w.line.note(err)
	return err
}

// CloseIdleConnections is what http.Client's own calls.
func (w *watched) CloseIdleConnections() {
	(&http.Client{Transport: w.below}).CloseIdleConnections()
}

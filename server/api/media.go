package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
)

// broadcaster is a session that has media of its own.
type broadcaster interface {
	// Fetch returns what a path and its query name, and its content type. It waits no longer than ctx. The content is
	// not to be changed.
	Fetch(ctx context.Context, path string, query url.Values) (content []byte, kind string, err error)
}

// media answers what players fetch. It waits for what is not made yet, no longer
// than the client does.
func (a *API) media(w http.ResponseWriter, r *http.Request) {
	if c, is := streamOf(r.PathValue("path")); is {
		a.streamed(w, r, c)
		return
	}
	found, err := a.o.Sessions.Find(r.PathValue("id"))
	if err != nil {
		a.fail(r.Context(), w, r, err)
		return
	}
	if stream, ok := found.(broadcaster); ok {
		content, kind, err := stream.Fetch(r.Context(), r.PathValue("path"), r.URL.Query())
		if err != nil {
			a.fail(r.Context(), w, r, err)
			return
		}
		a.deliver(w, r, kind, session.Media{content})
		return
	}
	s, ok := found.(*session.Session)
	if !ok {
		a.fail(r.Context(), w, r, problem.New(problem.NotFound, ""))
		return
	}
	resource, err := hls.ParsePath(r.PathValue("path"))
	if err != nil {
		a.fail(r.Context(), w, r, problem.New(problem.NotFound, "").Because(err))
		return
	}
	content, err := s.Get(r.Context(), resource, "")
	if err != nil {
		a.fail(r.Context(), w, r, err)
		return
	}
	a.deliver(w, r, resource.ContentType(), content)
}

// deliver sends media. Nobody may keep it, as nothing of the API: after a change of
// the settings the same URL holds another picture.
func (a *API) deliver(w http.ResponseWriter, r *http.Request, kind string, content session.Media) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Accel-Buffering", "no")
	if kind == playlistType {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header) {
			h.Set("Content-Encoding", "gzip")
			content = compressed(content)
		}
	}
	h.Set("Content-Length", strconv.FormatInt(content.Size(), 10))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = content.WriteTo(w) // a client that has gone is told nothing
	}
}

// playlistType is the content type of playlists.
var playlistType = hls.Resource{File: hls.FilePlaylist}.ContentType()

// compressed returns a playlist with gzip around it: that of a long film has a line
// a second, all alike, and that of a live stream is asked for with each part.
func compressed(content session.Media) session.Media {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = content.WriteTo(z) // a buffer takes all
	_ = z.Close()
	return session.Media{b.Bytes()}
}

// acceptsGzip reports whether a client takes gzip (RFC 9110 §12.5.3); a weight of 0
// refuses it.
func acceptsGzip(h http.Header) bool {
	for entry := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(entry, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		_, q, given := strings.Cut(weight, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !given || err == nil && value > 0
	}
	return false
}

package live

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/upscaled-media/upscaled/server/problem"
)

// listing is a media playlist as it is now. Requests wait for it here and not in the library, which would not see that
// a player has gone.
type listing struct {
	name  string
	still sync.Locker // held while the library is written to

	mu      sync.Mutex
	text    []byte         // guarded by mu, as all below; nil before there is a segment
	delta   []byte         // that without what players know; nil where there is nothing to leave out
	next    int            // media sequence number of the segment that is being made
	parts   int            // that it has
	before  int            // parts of the segment before it
	hint    string         // name of the part that is being made
	names   map[string]int // what can be asked for, and the segment that it belongs to
	changed chan struct{}  // closed with the next change
	over    bool           // the text is the last
	rest    []byte         // what was made of the last segment
}

func newListing(name string, still sync.Locker) *listing {
	return &listing{name: name, still: still, names: map[string]int{}, changed: make(chan struct{})}
}

// follow asks the library for each playlist as it comes, until the library is closed.
func (l *listing) follow(muxer *gohlslib.Muxer) {
	defer l.end(muxer)
	query := ""
	for {
		answer := (&answer{still: l.still}).ask(muxer, l.name+query)
		if answer.status == http.StatusBadRequest && query != "" {
			query = "" // it went on by more than is listed
			continue
		}
		if answer.status != http.StatusOK {
			return
		}
		at, err := l.take(answer.body.Bytes())
		if err != nil {
			return
		}
		query = at
	}
}

// take reads a playlist and returns the query of the next.
func (l *listing) take(text []byte) (query string, err error) {
	parsed, err := playlist.Unmarshal(text)
	if err != nil {
		return "", err
	}
	media, ok := parsed.(*playlist.Media)
	if !ok {
		return "", fmt.Errorf("%s is no media playlist", l.name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delta = delta(*media)
	l.text, l.next, l.parts, l.before = text, media.MediaSequence+len(media.Segments), len(media.Parts), 0
	for name, of := range l.names {
		if of < media.MediaSequence {
			delete(l.names, name)
		}
	}
	if media.Map != nil {
		l.names[media.Map.URI] = l.next // it stays
	}
	for i, s := range media.Segments {
		if s.Gap {
			continue
		}
		l.names[s.URI] = media.MediaSequence + i
		l.before = len(s.Parts)
		for _, part := range s.Parts {
			l.names[part.URI] = media.MediaSequence + i
		}
	}
	for _, part := range media.Parts {
		l.names[part.URI] = l.next
	}
	if media.PreloadHint != nil {
		l.hint = media.PreloadHint.URI
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", l.next, l.parts), nil
}

// delta returns a playlist without the segments that a player knows which had the one before, so that not each part costs
// as much as the whole window (RFC 8216bis §6.2.5.1); nil where all are to be listed.
func delta(media playlist.Media) []byte {
	if media.ServerControl == nil || media.ServerControl.CanSkipUntil == nil {
		return nil
	}
	keep := len(media.Segments)
	for listed := time.Duration(0); keep > 0 && listed < *media.ServerControl.CanSkipUntil; {
		keep--
		listed += media.Segments[keep].Duration
	}
	if keep == 0 {
		return nil
	}
	media.Map, media.Skip, media.Segments = nil, &playlist.MediaSkip{SkippedSegments: keep}, media.Segments[keep:]
	text, err := media.Marshal()
	if err != nil {
		return nil // the whole one says as much
	}
	return text
}

// end makes the last playlist, which says that it is (RFC 8216 §4.3.3.4). The library has no way to: a segment of its ends
// with the next key picture. So the parts that are there of the last one become a segment here; a part that is not whole
// is lost. The library is closed, and gives still what it has listed, but must not be asked for anything else.
func (l *listing) end(muxer *gohlslib.Muxer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	close(l.changed)
	parsed, err := playlist.Unmarshal(l.text)
	media, ok := parsed.(*playlist.Media)
	if err != nil || !ok {
		return // there was nothing yet
	}
	if len(media.Parts) > 0 {
		last := &playlist.MediaSegment{URI: l.restName(), Parts: media.Parts}
		for _, part := range media.Parts {
			last.Duration += part.Duration
			l.rest = append(l.rest, ask(muxer, part.URI).body.Bytes()...)
		}
		media.Segments, media.Parts = append(media.Segments, last), nil
	}
	media.PreloadHint, media.ServerControl, media.RenditionReport, media.Endlist = nil, nil, nil, true
	if text, err := media.Marshal(); err == nil { // or the one before stays the last
		l.text, l.delta = text, nil
	}
}

// restName is the name of the segment that end makes.
func (l *listing) restName() string { return strings.TrimSuffix(l.name, listSuffix) + "_rest.mp4" }

// wait waits until there is what is asked for, or will never be: the last playlist answers whatever was waited for.
func (l *listing) wait(ctx context.Context, there func() bool) error {
	for {
		l.mu.Lock()
		done, over, changed := there() || l.over && l.text != nil, l.over, l.changed
		l.mu.Unlock()
		switch {
		case done:
			return nil
		case over:
			return errEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// playlist returns the playlist, with what a query waits for (RFC 8216bis §6.2.5.2).
func (l *listing) playlist(ctx context.Context, query url.Values) ([]byte, error) {
	msn, part, err := reload(query)
	if err != nil {
		return nil, err
	}
	err = l.wait(ctx, func() bool { return l.text != nil })
	if err == nil && msn >= 0 {
		l.mu.Lock()
		far := msn > l.next+1 && !l.over
		l.mu.Unlock()
		if far {
			return nil, problem.New(problem.BadRequest, "_HLS_msn: is too far ahead")
		}
		err = l.wait(ctx, func() bool { return l.has(msn, part) })
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if skip := query.Get("_HLS_skip"); l.delta != nil && (skip == "YES" || skip == "v2") {
		return l.delta, nil
	}
	return l.text, nil
}

// has reports whether a segment, or part of it, is there; part −1: the whole. A part beyond a segment's last is the
// first of the next.
func (l *listing) has(msn, part int) bool {
	if msn == l.next-1 && part >= l.before {
		msn, part = l.next, 0
	}
	return msn < l.next || msn == l.next && part >= 0 && part < l.parts
}

// reload reads what a player waits for; −1 where it says nothing.
func reload(query url.Values) (msn, part int, err error) {
	msn, part = -1, -1
	for key, value := range map[string]*int{"_HLS_msn": &msn, "_HLS_part": &part} {
		text := query.Get(key)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return 0, 0, problem.New(problem.BadRequest, "%s: is no number", key)
		}
		*value = int(n)
	}
	if part >= 0 && msn < 0 {
		return 0, 0, problem.New(problem.BadRequest, "_HLS_part: needs _HLS_msn")
	}
	return msn, part, nil
}

// piece waits for a segment, part or init segment of this playlist, and reports whether there is one of the name.
func (l *listing) piece(ctx context.Context, name string) (bool, error) {
	l.mu.Lock()
	_, known := l.names[name]
	hinted := name != "" && name == l.hint
	l.mu.Unlock()
	if known || !hinted {
		return known, nil
	}
	err := l.wait(ctx, func() bool { _, known = l.names[name]; return known || l.hint != name })
	return known, err
}

// listSuffix ends the library's names of media playlists.
const listSuffix = "_stream.m3u8"

// masterName is the master playlist's name, and multivariant how the library calls it.
const (
	masterName   = "master.m3u8"
	multivariant = "index.m3u8"
)

// playlistType is the content type of playlists (RFC 8216 §10).
const playlistType = "application/vnd.apple.mpegurl"

// fetch returns what a name and a query name, and its content type. It waits for what is not made yet, no longer than
// the player does.
func (p *packager) fetch(ctx context.Context, name string, query url.Values) (content []byte, kind string, err error) {
	select {
	case <-p.began:
	case <-p.ended:
		select {
		case <-p.began: // before that
		default:
			return nil, "", errEnded
		}
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
	if l := p.listings[name]; l != nil {
		content, err = l.playlist(ctx, query)
		return content, playlistType, err
	}
	for _, l := range p.listings {
		if name == l.restName() {
			return l.lastSegment()
		}
	}
	there, err := p.there(ctx, name)
	if err != nil {
		return nil, "", err
	}
	if !there {
		return nil, "", problem.New(problem.NotFound, "")
	}
	master := name == masterName
	if master {
		name = multivariant
	}
	answer := ask(p.muxer, name)
	if master && answer.status != http.StatusOK && p.master != nil {
		return p.master, playlistType, nil
	}
	if answer.status != http.StatusOK {
		return nil, "", problem.New(problem.NotFound, "") // it has left the window meanwhile
	}
	return answer.body.Bytes(), answer.header.Get("Content-Type"), nil
}

// lastSegment returns the segment that end has made.
func (l *listing) lastSegment() (content []byte, kind string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rest == nil {
		return nil, "", problem.New(problem.NotFound, "")
	}
	return l.rest, "video/mp4", nil
}

// listed reports whether each media playlist lists something, and there is so a master playlist to be had at once.
func (p *packager) listed() bool {
	for _, l := range p.listings {
		l.mu.Lock()
		empty := l.text == nil
		l.mu.Unlock()
		if empty {
			return false
		}
	}
	return true
}

// there waits for what is no media playlist, and reports whether there is such a thing.
func (p *packager) there(ctx context.Context, name string) (bool, error) {
	if name == masterName {
		for _, l := range p.listings {
			if err := l.wait(ctx, func() bool { return l.text != nil }); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for _, l := range p.listings {
		if there, err := l.piece(ctx, name); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// answer is what the library answers.
type answer struct {
	// still is held from Header to WriteHeader: for the first of a media playlist's headers the library (2.3.2) reads what
	// it changes while it is written to. nil: for what is no media playlist.
	still  sync.Locker
	held   bool
	header http.Header
	status int // 0: nothing
	body   bytes.Buffer
}

// ask asks the library. For a playlist that is not there yet it waits for it, or for the library's end.
func ask(muxer *gohlslib.Muxer, path string) *answer { return (&answer{}).ask(muxer, path) }

func (a *answer) ask(muxer *gohlslib.Muxer, path string) *answer {
	path, query, _ := strings.Cut(path, "?")
	a.header = http.Header{}
	muxer.Handle(a, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/" + path, RawQuery: query}})
	a.release()
	return a
}

// Header implements http.ResponseWriter, as the methods below.
func (a *answer) Header() http.Header {
	if a.still != nil && !a.held {
		a.still.Lock()
		a.held = true
	}
	return a.header
}

func (a *answer) release() {
	if a.held {
		a.held = false
		a.still.Unlock()
	}
}

func (a *answer) WriteHeader(status int) {
	a.release()
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

// LivePart is a part of LL-HLS as a player got it.
type LivePart struct {
	At    time.Time     // when it was there
	Lasts time.Duration // as the playlist says
	Data  []byte
}

// LiveStream is what a player got of a live stream.
type LiveStream struct {
	Init     []byte
	Parts    []LivePart    // from the begin of a segment on
	HoldBack time.Duration // how far behind the newest part a player stays, as the playlist says
}

// Follow plays a live media playlist for a time, by blocking reloads, as players of LL-HLS do. get fetches a path of the
// server, at is the playlist's.
func Follow(ctx context.Context, get func(ctx context.Context, path string) ([]byte, error), at string, lasts time.Duration) (LiveStream, error) {
	f := follower{get: get, at: at, seen: map[string]bool{}}
	now, err := f.reload(ctx, "")
	if err != nil {
		return LiveStream{}, err
	}
	if now.ServerControl == nil || now.ServerControl.PartHoldBack == nil || now.Map == nil {
		return LiveStream{}, errors.New("the playlist is not of LL-HLS")
	}
	f.stream.HoldBack = *now.ServerControl.PartHoldBack
	if f.stream.Init, err = get(ctx, f.beside(now.Map.URI)); err != nil {
		return LiveStream{}, err
	}
	f.from = now.MediaSequence + len(now.Segments) + 1
	now, err = f.reload(ctx, fmt.Sprintf("?_HLS_msn=%d&_HLS_part=0", f.from))
	for end := time.Now().Add(lasts); err == nil && time.Now().Before(end); {
		if err = f.take(ctx, now); err == nil {
			now, err = f.reload(ctx, fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", now.MediaSequence+len(now.Segments), len(now.Parts)))
		}
	}
	return f.stream, err
}

// follower plays a playlist.
type follower struct {
	get    func(ctx context.Context, path string) ([]byte, error)
	at     string
	from   int // the first segment that is taken
	seen   map[string]bool
	stream LiveStream
}

// beside returns the path of what the playlist names.
func (f *follower) beside(uri string) string { return path.Join(path.Dir(f.at), uri) }

// reload fetches the playlist when it has what is asked for.
func (f *follower) reload(ctx context.Context, query string) (*playlist.Media, error) {
	text, err := f.get(ctx, f.at+query)
	if err != nil {
		return nil, err
	}
	parsed, err := playlist.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	media, ok := parsed.(*playlist.Media)
	if !ok {
		return nil, fmt.Errorf("%s is no media playlist", path.Base(f.at))
	}
	return media, nil
}

// take fetches the parts of a playlist that are new.
func (f *follower) take(ctx context.Context, now *playlist.Media) error {
	var parts []*playlist.MediaPart
	for i, segment := range now.Segments {
		if now.MediaSequence+i >= f.from {
			parts = append(parts, segment.Parts...)
		}
	}
	for _, part := range append(parts, now.Parts...) {
		if f.seen[part.URI] {
			continue
		}
		f.seen[part.URI] = true
		data, err := f.get(ctx, f.beside(part.URI))
		if err != nil {
			return err
		}
		f.stream.Parts = append(f.stream.Parts, LivePart{time.Now(), part.Duration, data})
	}
	return nil
}

// MP4 returns the stream as one file.
func (s LiveStream) MP4() []byte {
	var whole bytes.Buffer
	whole.Write(s.Init)
	for _, p := range s.Parts {
		whole.Write(p.Data)
	}
	return whole.Bytes()
}

// Longest returns how long the longest part lasts.
func (s LiveStream) Longest() (longest time.Duration) {
	for _, p := range s.Parts {
		longest = max(longest, p.Lasts)
	}
	return longest
}

// There returns when the part came that ends at a time or later, counted from the first part's begin on; zero: it has
// not come.
func (s LiveStream) There(at time.Duration) time.Time {
	end := time.Duration(0)
	for _, p := range s.Parts {
		if end += p.Lasts; end > at {
			return p.At
		}
	}
	return time.Time{}
}

// Shown returns when a player that stays HoldBack behind the newest part shows a picture, whose time is that from the
// first picture on; zero: it would not yet.
func (s LiveStream) Shown(at time.Duration) time.Time { return s.There(at + s.HoldBack - 1) }

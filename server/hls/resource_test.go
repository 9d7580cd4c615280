package hls

import (
	"errors"
	"testing"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestPaths(t *testing.T) {
	video, audio, text := wire.Stream{Kind: wire.StreamVideo}, wire.Stream{Kind: wire.StreamAudio, Index: 1}, wire.Stream{Kind: wire.StreamText, Index: 12}
	for path, test := range map[string]struct {
		resource Resource
		media    string
	}{
		"master.m3u8":        {Resource{File: FileMaster}, "application/vnd.apple.mpegurl"},
		"video/index.m3u8":   {Resource{File: FilePlaylist, Stream: video}, "application/vnd.apple.mpegurl"},
		"video/3/init.mp4":   {Resource{File: FileInit, Stream: video, Generation: 3}, "video/mp4"},
		"video/0/10.m4s":     {Resource{File: FileSegment, Stream: video, Segment: 10}, "video/mp4"},
		"audio/1/index.m3u8": {Resource{File: FilePlaylist, Stream: audio}, "application/vnd.apple.mpegurl"},
		"audio/1/0/init.mp4": {Resource{File: FileInit, Stream: audio}, "audio/mp4"},
		"audio/1/0/7.m4s":    {Resource{File: FileSegment, Stream: audio, Segment: 7}, "audio/mp4"},
		"text/12/index.m3u8": {Resource{File: FilePlaylist, Stream: text}, "application/vnd.apple.mpegurl"},
		"text/12/86399.vtt":  {Resource{File: FileSegment, Stream: text, Segment: 86399}, "text/vtt; charset=utf-8"},
	} {
		got, err := ParsePath(path)
		if err != nil || got != test.resource || test.resource.Path() != path || got.ContentType() != test.media {
			t.Errorf("%s: %+v, %v, %s, %s", path, got, err, test.resource.Path(), got.ContentType())
		}
	}
	for _, path := range []string{
		"", "/", "video", "video/", "video/index.m3u8/", "/video/index.m3u8", "video/01/init.mp4", "video/0/+1.m4s", "video/0/-1.m4s",
		"video/0/1.vtt", "video/0/0/1.m4s", "video//1.m4s", "text/0/0/1.vtt", "text/0/init.mp4", "audio/index.m3u8", "audio/x/index.m3u8",
		"video/0/1e3.m4s", "video/0/99999999999999999999.m4s", "video/0/1000000000.m4s", "video/../video/index.m3u8", "index.m3u8",
	} {
		if got, err := ParsePath(path); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
}

// FuzzPath holds any path to: an error, or the one path of what it names.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"master.m3u8", "video/0/1.m4s", "audio/3/1/init.mp4", "text/0/5.vtt", "video/index.m3u8"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		switch r, err := ParsePath(path); {
		case err != nil && !errors.Is(err, ErrPath):
			t.Error(err)
		case err == nil && r.Path() != path:
			t.Errorf("%q is %+v, whose path is %q", path, r, r.Path())
		}
	})
}

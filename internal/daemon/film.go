package daemon

import (
	"context"
	"fmt"
	"path"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/server/playback"
)

// Film is what a player knows of a session: paths of what it fetches.
type Film struct {
	Video Track
	Audio Track // the default one; Segments is empty where there is none
}

// Track is a media playlist with its URIs as paths of the server.
type Track struct{ hlstest.Media }

// Film reads a session's playlists. It returns when the picture's codec is known.
func (c *Client) Film(ctx context.Context, s playback.Session) (Film, error) {
	if s.URLs == nil {
		return Film{}, fmt.Errorf("session %s has no URLs", s.ID)
	}
	data, err := c.Get(ctx, s.URLs.Master)
	if err != nil {
		return Film{}, err
	}
	master, err := hlstest.ParseMaster(data)
	if err != nil {
		return Film{}, fmt.Errorf("master playlist: %w", err)
	}
	folder := path.Dir(s.URLs.Master)
	var f Film
	if f.Video, err = c.track(ctx, path.Join(folder, master.Variants[0].URI)); err != nil {
		return Film{}, err
	}
	for _, r := range master.Renditions {
		if r.Type == "AUDIO" && r.Default {
			f.Audio, err = c.track(ctx, path.Join(folder, r.URI))
		}
	}
	return f, err
}

func (c *Client) track(ctx context.Context, at string) (Track, error) {
	data, err := c.Get(ctx, at)
	if err != nil {
		return Track{}, err
	}
	media, err := hlstest.ParseMedia(data)
	if err != nil {
		return Track{}, fmt.Errorf("playlist %s: %w", path.Base(path.Dir(at)), err)
	}
	folder := path.Dir(at)
	for i := range media.Segments {
		s := &media.Segments[i]
		s.URI = path.Join(folder, s.URI)
		if s.Init != "" {
			s.Init = path.Join(folder, s.Init)
		}
	}
	return Track{*media}, nil
}

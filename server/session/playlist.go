package session

import (
	"context"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// presumed returns what a track of sound is taken for before a run of it told. Of AAC
// that is AAC-LC, which is what is encoded, and what is passed through but for rare
// exceptions.
func presumed(track wire.AudioInfo) string {
	if track.Delivered == wire.AudioOpus {
		return fmp4.CodecOpus
	}
	return "mp4a.40.2"
}

// Master returns the master playlist. It waits until the picture's codec is known.
func (s *Session) Master(ctx context.Context, query string) (Media, error) {
	stream := wire.Stream{Kind: wire.StreamVideo}
	g, err := s.generation(stream, 0)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, g.ready); err != nil {
		return nil, err
	}
	text, err := s.master().Playlist(query)
	return Media{text}, err
}

// master returns what the master playlist tells.
func (s *Session) master() hls.Master {
	s.mu.Lock()
	defer s.mu.Unlock()
	init := s.newestInit()
	m := hls.Master{Video: s.film.Video, Codec: init.Codec}
	m.Video.Size, m.Video.Aspect = [2]int{init.Width, init.Height}, init.Aspect
	for i, info := range s.film.Audio {
		track := hls.Track{AudioInfo: info, Codec: presumed(info)}
		track.Default = i == s.standard()
		if g := s.audio[i].generations[s.audio[i].newest()]; g.init != nil {
			track.Codec = g.codec.Codec
		}
		m.Audio = append(m.Audio, track)
	}
	for i, info := range s.film.Text {
		if s.request.Text >= 0 {
			info.Default = i == s.request.Text
		}
		m.Text = append(m.Text, info)
	}
	return m
}

// newestInit returns what the newest run of the picture told of it. The caller
// holds mu and knows that there was one.
func (s *Session) newestInit() wire.Init {
	generations := s.video.generations
	for g := len(generations) - 1; g > 0; g-- {
		if generations[g].init != nil {
			return generations[g].codec
		}
	}
	return generations[0].codec
}

// Playlist returns the media playlist of a rendition, with all segments of the
// film.
func (s *Session) Playlist(stream wire.Stream, query string) (Media, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rendition(stream)
	if err != nil {
		return nil, err
	}
	text, err := r.track.playlist(s.changes(s.video), query)
	return Media{text}, err
}

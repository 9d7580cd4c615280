package session

import (
	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// track is what sets the kinds of renditions apart: where their segments lie, in
// ticks, and what is made of packets.
type track interface {
	index(ticks int64) int   // of the segment to which a packet at a time belongs
	begin(segment int) int64 // its first packet
	end(segment int) int64   // it is whole when its packets reach this
	// short reports whether packets are fewer than a segment has.
	short(segment int, packets []wire.Packet) bool
	empty(segment int) bool // it is in no playlist
	init(wire.Init) ([]byte, error)
	playlist(changes []hls.Change, query string) ([]byte, error)
}

// picture is the track of the picture.
type picture struct {
	hls.Timeline
}

func (p picture) index(ticks int64) int   { return p.Index(ticks) }
func (p picture) begin(segment int) int64 { return p.Begin(segment) }
func (p picture) end(segment int) int64   { return p.Begin(segment + 1) }
func (p picture) empty(int) bool          { return false }

// short goes by time: how many pictures a segment has is not known before, since the
// worker shows one for longer where the film lacks the next.
func (p picture) short(segment int, packets []wire.Packet) bool {
	last := packets[len(packets)-1]
	return last.PTS+last.Duration < p.end(segment)
}

func (p picture) init(i wire.Init) ([]byte, error) { return fmp4.VideoInit(i, p.Scale()) }

func (p picture) playlist(changes []hls.Change, query string) ([]byte, error) {
	return p.Playlist(changes, query)
}

// sound is a track of sound.
type sound struct {
	hls.Sound
	info wire.AudioInfo
}

func (s sound) index(ticks int64) int   { return s.Index(ticks) }
func (s sound) begin(segment int) int64 { return s.Begin(segment) }
func (s sound) end(segment int) int64   { return s.Begin(segment + 1) }
func (s sound) empty(segment int) bool  { return s.Empty(segment) }

func (s sound) short(segment int, packets []wire.Packet) bool {
	from, to := s.Frames(segment)
	return int64(len(packets)) < to-from
}

func (s sound) init(i wire.Init) ([]byte, error) { return fmp4.AudioInit(i, s.info) }

func (s sound) playlist(changes []hls.Change, query string) ([]byte, error) {
	return s.Playlist(steady(changes), query)
}

// text is a track of subtitles, which has cues and no packets.
type text struct {
	hls.Timeline
}

func (t text) index(ticks int64) int        { return t.Index(ticks) }
func (t text) begin(segment int) int64      { return t.Begin(segment) }
func (t text) end(segment int) int64        { return t.Begin(segment + 1) }
func (text) short(int, []wire.Packet) bool  { return false }
func (text) empty(int) bool                 { return false }
func (text) init(wire.Init) ([]byte, error) { return nil, nil }

func (t text) playlist(changes []hls.Change, query string) ([]byte, error) {
	return t.TextPlaylist(steady(changes), query)
}

// steady returns the changes of the picture for a rendition that has one
// generation throughout.
func steady(changes []hls.Change) []hls.Change {
	same := make([]hls.Change, len(changes))
	for i, c := range changes {
		same[i].Segment = c.Segment
	}
	return same
}

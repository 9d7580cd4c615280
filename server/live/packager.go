package live

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// segment is how long a segment is at least: a little less than the distance of key pictures, since times are
	// not exact.
	segment = keyFrames * 9 / 10
	// fewest is how many segments LL-HLS has to list at least.
	fewest = 7
	// drift is how far the time of day that a playlist tells may be off before it is set right: the stream's own time
	// stands still while its source is away.
	drift = 2 * time.Second
)

// packager makes LL-HLS of what a session broadcasts.
type packager struct {
	part, window time.Duration
	log          *slog.Logger
	muxer        *gohlslib.Muxer // of run alone, but for its Handle
	tracks       map[uint32]*gohlslib.Track
	interleave   *interleave
	writing      sync.Mutex // held while muxer is written to; see answer
	zero         time.Time  // time of day at the stream's begin

	began chan struct{} // closed when listings are there
	ended chan struct{} // closed when nothing more comes

	listings map[string]*listing // of playlists by their names; set before began is closed
	master   []byte              // the last master playlist; set before the library is closed, which gives none then
}

// newPackager returns a packager without a stream. A part lasts as long as whole pictures do, so the library is told
// less than the longest: up to 20 pictures a second fit in between.
func newPackager(part, window time.Duration, log *slog.Logger) *packager {
	return &packager{
		part: part * 3 / 4, window: window, log: log, tracks: map[uint32]*gohlslib.Track{},
		began: make(chan struct{}), ended: make(chan struct{}),
	}
}

// run packages what a subscription gives until it ends.
func (p *packager) run(ctx context.Context, sub *Subscription, part func(func())) {
	defer close(p.ended)
	var order []uint32
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			break
		}
		switch m := m.(type) {
		case wire.Init:
			if p.tracks[m.Run] != nil {
				continue // pictures bring their parameter sets along
			}
			if p.tracks[m.Run], err = track(m); err != nil {
				p.log.Error("stream cannot be packaged", "codec", m.Codec, "error", err)
				return
			}
			order = append(order, m.Run)
		case wire.Packet:
			if p.muxer == nil {
				if err := p.begin(order, part); err != nil {
					p.log.Error("stream cannot be packaged", "error", err)
					return
				}
			}
			p.take(m)
		}
	}
	if p.muxer != nil {
		p.interleave.flush(p.ready)
		if p.listed() {
			p.master = ask(p.muxer, multivariant).body.Bytes()
		}
		p.muxer.Close()
	}
}

// track describes a run.
func track(m wire.Init) (*gohlslib.Track, error) {
	switch {
	case m.Run == wire.RelayVideo:
		record, err := avc.DecodeAVCDecConfRec(m.CodecData)
		if err != nil {
			return nil, err
		}
		if len(record.SPSnalus) == 0 || len(record.PPSnalus) == 0 {
			return nil, fmt.Errorf("no parameter sets in %x", m.CodecData)
		}
		return &gohlslib.Track{Codec: &codecs.H264{SPS: record.SPSnalus[0], PPS: record.PPSnalus[0]}, ClockRate: wire.RelayTimeScale}, nil
	case m.Codec == "opus":
		const channels = 9 // offset in OpusHead (RFC 7845 §5.1)
		if len(m.CodecData) <= channels {
			return nil, fmt.Errorf("no OpusHead in %x", m.CodecData)
		}
		return &gohlslib.Track{Codec: &codecs.Opus{ChannelCount: int(m.CodecData[channels])}, ClockRate: 48000}, nil
	}
	var config mpeg4audio.AudioSpecificConfig
	if err := config.Unmarshal(m.CodecData); err != nil {
		return nil, err
	}
	if config.SampleRate < 1 { // by which times are divided
		return nil, fmt.Errorf("%d samples a second", config.SampleRate)
	}
	return &gohlslib.Track{Codec: &codecs.MPEG4Audio{Config: config}, ClockRate: config.SampleRate}, nil
}

// begin starts the library.
func (p *packager) begin(order []uint32, part func(func())) error {
	p.muxer = &gohlslib.Muxer{
		Variant: gohlslib.MuxerVariantLowLatency, SegmentCount: max(fewest, int(math.Ceil(p.window.Seconds()/keyFrames.Seconds()))),
		SegmentMinDuration: segment, PartMinDuration: p.part,
		OnEncodeError: func(err error) { p.log.Debug("packaging", "error", err) },
	}
	p.listings = map[string]*listing{}
	for i, run := range order {
		p.muxer.Tracks = append(p.muxer.Tracks, p.tracks[run])
		kind := "audio"
		if run == wire.RelayVideo {
			kind = "video"
		}
		name := fmt.Sprintf("%s%d%s", kind, i+1, listSuffix) // as the library calls it
		p.listings[name] = newListing(name, &p.writing)
	}
	if err := p.muxer.Start(); err != nil {
		p.muxer = nil
		return err
	}
	p.interleave = newInterleave(order...)
	for _, l := range p.listings {
		part(func() { l.follow(p.muxer) })
	}
	close(p.began)
	return nil
}

// take takes a packet, and packages those whose turn it is.
func (p *packager) take(m wire.Packet) {
	t := p.tracks[m.Run]
	if t == nil {
		return // of a run that was not announced
	}
	at := wire.Duration(m.PTS, int64(t.ClockRate))
	p.interleave.put(timed{at, m}, p.ready)
}

// ready packages a packet whose turn it is.
func (p *packager) ready(next timed) {
	if err := p.write(next.at, next.packet); err != nil {
		p.log.Debug("packet not packaged", "error", err)
	}
}

// write packages a packet.
func (p *packager) write(at time.Duration, m wire.Packet) error {
	t := p.tracks[m.Run]
	now := time.Now()
	if off := now.Sub(p.zero.Add(at)); off < -drift || off > drift {
		p.zero = now.Add(-at)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	switch t.Codec.(type) {
	case *codecs.H264:
		var au h264.AVCC
		if err := au.Unmarshal(m.Data); err != nil {
			return err
		}
		return p.muxer.WriteH264(t, p.zero.Add(at), m.PTS, au)
	case *codecs.Opus:
		return p.muxer.WriteOpus(t, p.zero.Add(at), m.PTS, [][]byte{m.Data})
	default:
		return p.muxer.WriteMPEG4Audio(t, p.zero.Add(at), m.PTS, [][]byte{m.Data})
	}
}

package worker

import (
	"bytes"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// output sends what a run makes to the server. It implements pipeline.Output.
type output struct {
	w    *worker
	run  uint32
	kind wire.StreamKind
}

// Init implements pipeline.Output.
func (o output) Init(i pipeline.StreamInit) error {
	codec, err := codecOf(o.kind, i.Data)
	if err != nil {
		return err
	}
	return o.w.conn.Write(wire.Init{
		Run: o.run, Codec: codec, CodecData: i.Data, Width: i.Width, Height: i.Height,
		Aspect: [2]int{i.Aspect.Num, i.Aspect.Den}, Colour: i.Colorimetry,
	})
}

// codecOf returns the name of a codec (RFC 6381 §3.3) from its data: the profile,
// its constraints and the level of avcC (ISO/IEC 14496-15 §5.3.3.1.2), or the
// audioObjectType of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1); Opus has but
// its name.
func codecOf(kind wire.StreamKind, data []byte) (string, error) {
	switch {
	case kind == wire.StreamAudio && bytes.HasPrefix(data, []byte("OpusHead")): // RFC 7845 §5.1
		return "opus", nil
	case kind == wire.StreamVideo && len(data) >= 4:
		return fmt.Sprintf("avc1.%02x%02x%02x", data[1], data[2], data[3]), nil
	case kind == wire.StreamAudio && bytes.HasPrefix(data, []byte("OpusHead")):
		return "opus", nil
	case kind == wire.StreamAudio && len(data) >= 2:
		return fmt.Sprintf("mp4a.40.%d", data[0]>>3), nil
	}
	return "", &pipeline.Error{Code: pipeline.CodeInternal, Sentence: "an encoder told nothing of its stream"}
}

// Packet implements pipeline.Output.
func (o output) Packet(p pipeline.Packet) error {
	return o.w.conn.Write(wire.Packet{Run: o.run, Key: p.Key, PTS: p.PTS, DTS: p.DTS, Duration: p.Duration, Data: p.Data})
}

// Cue implements pipeline.Output.
func (o output) Cue(c pipeline.Cue) error {
	return o.w.conn.Write(wire.Cue{Run: o.run, Start: c.Start, End: c.End, Text: c.Text})
}

// Reached implements pipeline.Output.
func (o output) Reached(until time.Duration) error {
	return o.w.conn.Write(wire.Progress{Run: o.run, Until: until})
}

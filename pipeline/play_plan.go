package pipeline

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// playPicture plans the way of the picture from the parsed stream to access
// units of H.264.
func (p *Plan) playPicture(s PlaySpec, has func(string) bool) ([]Node, error) {
	encoder, err := chooseEncoder(H264, 8, has)
	if err != nil {
		return nil, err
	}
	nodes := append([]Node{polite(queue("decode", 64))}, p.decoder()...)
	resize := p.resize()
	if err := p.checkSize(); err != nil {
		return nil, err
	}
	nodes = append(nodes, p.form()...)
	if s.Burn >= 0 {
		nodes = append(nodes, Node{Factory: "dvdspu", Name: "burn"})
	}
	nodes = append(nodes,
		queue("upscale", pictures),
		s.upscaler(),
		polite(queue("encode", pictures)))
	// The filters are there even when they are neutral, which costs nothing: they
	// can be moved while the film plays.
	nodes = append(nodes, resize...)
	nodes = append(nodes, Node{Factory: "adjust", Name: "adjust"})
	nodes = append(nodes, Node{Factory: "segmentgrid", Name: "grid"}, playEncoder(encoder, s, p))
	// x264 puts parameter sets in front of each key frame by itself: ffmpeg reads on
	// where the size changes only with them. A parser behind it would give each
	// picture the length that the rate tells, however long it is shown.
	return append(nodes, Node{Caps: "video/x-h264,stream-format=avc,alignment=au"}), nil
}

// upscaler returns the element with its settings.
func (s PlaySpec) upscaler() Node {
	return Node{Factory: "upscale", Name: "upscaler", Stage: StageUpscale, Props: []Prop{
		{"model", s.Model},
		{"provider", provider(s.Provider)},
		{"device", strconv.Itoa(s.Device)},
		{"threads", strconv.Itoa(s.Threads.Upscale)},
		{"strength", strconv.FormatFloat(s.Strength, 'g', -1, 64)},
	}}
}

// playEncoder returns x264 as a player that waits needs it: no picture is held
// back for a look ahead, none comes out of order, and key frames are where
// segmentgrid asks for them. The bound of the rate is kept over one second.
func playEncoder(factory string, s PlaySpec, p *Plan) Node {
	quality := s.Quality
	if quality < 0 {
		quality = PlayQuality
	}
	return Node{Factory: factory, Name: "encoder", Stage: StageEncode, Props: []Prop{
		{"pass", "qual"},
		{"quantizer", strconv.Itoa(quality)},
		{"bitrate", strconv.Itoa(s.maxRate(p.Width, p.Height))},
		{"vbv-buf-capacity", "1000"},
		{"speed-preset", "ultrafast"},
		{"bframes", "0"},
		{"rc-lookahead", "0"},
		{"sync-lookahead", "0"},
		{"key-int-max", strconv.Itoa(math.MaxInt32)},
		{"aud", "false"},
		{"threads", strconv.Itoa(s.Threads.Encode)},
		{"option-string", x264Fast + ":scenecut=0:chromaloc=" + chromaLoc[p.site]},
	}}
}

// videoGraph plans a run of the picture. No queue may hold up the subtitles that are
// drawn in: the demuxer's thread brings each before the pictures that follow it in the
// file, and dvdspu, which keeps it until its time, waits for none.
func (p PlayPlan) videoGraph() Graph {
	g := playGraph()
	g.Branches = []Branch{{StreamID: p.Media.Video.StreamID, Pad: "sink", Nodes: p.picture}}
	if p.Spec.Burn >= 0 {
		g.Branches = append(g.Branches, Branch{
			StreamID: p.Text[p.Spec.Burn].StreamID, Into: "burn", Pad: "subpicture", Nodes: []Node{{Factory: "identity"}},
		})
	}
	return g
}

// history is how many pictures before its first a deinterlacer is given.
const history = 2

// videoStart returns the stream time of the first picture that a run needs, and how
// far off it may be, as segmentgrid has it.
func (p PlayPlan) videoStart(segment int) (at, near time.Duration) {
	t := p.Timeline
	if t.Rate.Num == 0 {
		return t.Origin + t.Begin(segment), 5 * time.Millisecond
	}
	frame := t.time(1, int64(t.Rate.Num), int64(t.Rate.Den))
	at = t.Begin(segment)
	if p.Media.Video.Interlaced {
		at = max(0, at-history*frame)
	}
	return t.Origin + at, frame / 4
}

// playGraph returns a graph without branches: a film that is read, and a sink
// that hands over what comes.
func playGraph() Graph {
	return Graph{
		Source: []Node{{Factory: "readersrc", Name: "source"}, {Factory: "parsebin", Name: "parse"}},
		Mux:    []Node{{Factory: "fakesink", Name: "sink", Props: []Prop{{"sync", "false"}, {"async", "false"}, {"enable-last-sample", "false"}}}},
	}
}

// newSoundPlan decides whether a track is passed through: AAC-LC is, to who takes it.
// Either way it lasts as long as the film, for players stop where a sound has nothing:
// where the track has none it is silent.
func newSoundPlan(a Track, t Timeline, x Extent, codec SoundCodec) SoundPlan {
	s := SoundPlan{Track: a, Codec: codec, Rate: capsInt(a.Caps, "rate"), Channels: max(1, capsInt(a.Caps, "channels"))}
	frame := int64(s.FrameSamples())
	if s.Passed = codec != SoundOpus && aacLC(a.Caps); s.Passed {
		if span, known := x.Streams[a.StreamID]; known { // frames stay where they are
			begin := s.samples(span.First - t.Origin)
			s.First = (begin%frame + frame) % frame
		}
	} else {
		s.encode()
	}
	s.Frames = max(1, (s.samples(t.End)-s.First+frame-1)/frame)
	return s
}

// encode chooses the form of a track that is encoded.
func (s *SoundPlan) encode() {
	if s.Codec == SoundOpus {
		s.Rate, s.Channels = opusRate, min(s.Channels, 2)
		s.BitRate = 64000 * s.Channels
		return
	}
	if s.Rate != 44100 && s.Rate != 32000 {
		s.Rate = 48000
	}
	if s.Channels > 2 {
		s.Channels = 6
	}
	s.BitRate = 80000 * min(s.Channels, 5)
}

// samples returns a time in samples, rounded.
func (s *SoundPlan) samples(at time.Duration) int64 {
	return mulDiv(int64(at), int64(s.Rate), int64(time.Second))
}

// FirstOf returns the number of the first frame that begins in or after segment k.
func (s *SoundPlan) FirstOf(t Timeline, k int) int64 {
	// begin = First + n × frame ≥ k × Ticks/TimeScale × Rate
	border, frame := mulDivUp(int64(k)*t.Ticks, int64(s.Rate), t.TimeScale), int64(s.FrameSamples())
	return max(0, (border-s.First+frame-1)/frame)
}

// aacLC reports whether a track is AAC-LC whose frames are delivered as they are.
// aacparse names the profile, of raw frames by their AudioSpecificConfig, which
// must tell a usual order of channels and frames of the usual length.
func aacLC(caps string) bool {
	if capsName(caps) != "audio/mpeg" || capsInt(caps, "mpegversion") != 4 || capsField(caps, "profile") != "lc" {
		return false
	}
	if config, err := hex.DecodeString(capsField(caps, "codec_data")); err != nil || len(config) >= 2 && (config[1]>>3&15 == 0 || config[1]>>2&1 != 0) {
		return false
	}
	return slices.Contains(aacFrequencies, capsInt(caps, "rate")) && aacElements[capsInt(caps, "channels")] != nil
}

// soundGraph plans a run of a track.
func (p PlayPlan) soundGraph(i int) Graph {
	g, s := playGraph(), p.Audio[i]
	// A few frames, and not more: what waits here keeps the blocks of the film that
	// it was read in, and reading goes on until the queue is full.
	nodes := []Node{queue("decode", 64)}
	if s.Passed {
		nodes = append(nodes, Node{Factory: "aacparse"}, Node{Caps: "audio/mpeg,mpegversion=4,stream-format=raw"})
	} else {
		nodes = append(nodes,
			Node{Factory: "decodebin"}, Node{Factory: "audioconvert"}, Node{Factory: "audioresample"}, Node{Caps: s.raw()},
			Node{Factory: "samplegrid", Name: "grid"},
			Node{Factory: "audioconvert"})
		nodes = append(nodes, s.encoder()...)
	}
	g.Branches = []Branch{{StreamID: s.StreamID, Pad: "sink", Nodes: nodes}}
	return g
}

// raw returns the caps of what goes into a track's encoder.
func (s *SoundPlan) raw() string {
	mask := ""
	switch s.Channels {
	case 1:
	case 6:
		mask = ",channel-mask=(bitmask)0x3f"
	default:
		mask = ",channel-mask=(bitmask)0x3"
	}
	return fmt.Sprintf("audio/x-raw,format=F32LE,layout=interleaved,rate=%d,channels=%d%s", s.Rate, s.Channels, mask)
}

// drawn reports whether subtitles are pictures.
func drawn(t Track) bool {
	return t.Type() == "subpicture/x-pgs" || t.Type() == "subpicture/x-dvd"
}

// mulDivUp returns a × b ÷ c, rounded up, without overflow on the way; none is
// negative.
func mulDivUp(a, b, c int64) int64 {
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	x.Add(x, big.NewInt(c-1))
	return x.Div(x, big.NewInt(c)).Int64()
}

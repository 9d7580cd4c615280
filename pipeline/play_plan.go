package pipeline

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
)

// playPicture plans the way of the picture from the parsed stream to access
// units of H.264.
func (p *Plan) playPicture(s PlaySpec, t Timeline, has func(string) bool) ([]Node, error) {
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
		Node{Factory: "upscale", Name: "upscaler", Stage: StageUpscale, Props: []Prop{
			{"model", s.Model},
			{"provider", provider(s.Provider)},
			{"device", strconv.Itoa(s.Device)},
			{"threads", strconv.Itoa(s.Threads.Upscale)},
			{"strength", strconv.FormatFloat(s.Strength, 'g', -1, 64)},
		}},
		polite(queue("encode", pictures)))
	// The filters are there even when they are neutral, which costs nothing: they
	// can be moved while the film plays.
	nodes = append(nodes, resize...)
	nodes = append(nodes, Node{Factory: "adjust", Name: "adjust"})
	nodes = append(nodes, Node{Factory: "segmentgrid", Name: "grid"}, playEncoder(encoder, s, p))
	// Parameter sets go in front of each key frame, too: ffmpeg reads on where the
	// size changes only with them.
	return append(nodes, Node{Factory: "h264parse", Props: []Prop{{"config-interval", "-1"}}},
		Node{Caps: "video/x-h264,stream-format=avc,alignment=au"}), nil
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
		{"threads", strconv.Itoa(s.Threads.Encode)},
		{"option-string", x264Fast + ":scenecut=0:chromaloc=" + chromaLoc[p.site]},
	}}
}

// back is how far before a segment reading begins: what the decoder shows there
// is held where the segment has no picture at its beginning.
const backFrames = 2

// videoGraph plans a run of the picture.
func (p PlayPlan) videoGraph() Graph {
	g := playGraph()
	g.Branches = []Branch{{StreamID: p.Media.Video.StreamID, Pad: "sink", Nodes: p.picture}}
	if p.Spec.Burn >= 0 {
		g.Branches = append(g.Branches, Branch{
			StreamID: p.Text[p.Spec.Burn].StreamID, Into: "burn", Pad: "subpicture", Nodes: []Node{queue("", 64)},
		})
	}
	return g
}

// videoStart returns the stream time at which decoding begins for a segment.
func (p PlayPlan) videoStart(segment int) time.Duration {
	t := p.Timeline
	frame := 100 * time.Millisecond // of a rate that varies
	if t.Rate.Num > 0 {
		frame = t.time(1, int64(t.Rate.Num), int64(t.Rate.Den))
	}
	at := min(t.Begin(segment), t.Last) - backFrames*frame
	return t.Origin + max(0, at)
}

// playGraph returns a graph without branches: a film that is read, and a sink
// that hands over what comes.
func playGraph() Graph {
	return Graph{
		Source: []Node{{Factory: "readersrc", Name: "source"}, {Factory: "parsebin", Name: "parse"}},
		Mux:    []Node{{Factory: "fakesink", Name: "sink", Props: []Prop{{"sync", "false"}, {"async", "false"}, {"enable-last-sample", "false"}}}},
	}
}

// newSoundPlan decides whether a track is passed through. AAC-LC is, where it
// covers the film: players stop where a sound has nothing.
func newSoundPlan(a Track, t Timeline, x Extent) SoundPlan {
	s := SoundPlan{Track: a, Rate: capsInt(a.Caps, "rate"), Channels: max(1, capsInt(a.Caps, "channels"))}
	span, known := x.Streams[a.StreamID]
	s.begin = span.First - t.Origin
	covers := known && x.Measured && s.begin < 100*time.Millisecond && span.Last-t.Origin > t.End-500*time.Millisecond
	if covers && aacLC(a.Caps) && s.Rate > 0 {
		s.Passed = true
		s.pass(span, t)
		return s
	}
	s.encode(t)
	return s
}

// pass numbers the frames of a track that is passed through. What lies before
// the film's beginning is left out.
func (s *SoundPlan) pass(span Span, t Timeline) {
	begin := s.samples(s.begin)
	skip := int64(0)
	if begin < 0 {
		skip = (-begin + FrameSamples - 1) / FrameSamples
	}
	s.First = begin + skip*FrameSamples
	s.Frames = (s.samples(span.Last-t.Origin)-s.First+FrameSamples/2)/FrameSamples + 1
}

// aacRates are the sampling frequencies of AAC: ISO/IEC 14496-3 table 1.18.
var aacRates = map[int]bool{
	96000: true, 88200: true, 64000: true, 48000: true, 44100: true, 32000: true, 24000: true, 22050: true, 16000: true, 12000: true, 11025: true, 8000: true,
}

// encode plans a track that is encoded, from the film's beginning to its end.
func (s *SoundPlan) encode(t Timeline) {
	if !aacRates[s.Rate] || s.Rate > 48000 || s.Rate < 32000 {
		s.Rate = 48000
	}
	if s.Channels > 2 {
		s.Channels = 6
	}
	s.Frames = (s.samples(t.End) + FrameSamples - 1) / FrameSamples
	s.BitRate = 80000 * min(s.Channels, 5)
}

// samples returns a time in samples, rounded.
func (s *SoundPlan) samples(at time.Duration) int64 {
	return mulDiv(int64(at), int64(s.Rate), int64(time.Second))
}

// FirstOf returns the number of the first frame that begins in or after segment k.
func (s *SoundPlan) FirstOf(t Timeline, k int) int64 {
	// begin = First + n × FrameSamples ≥ k × Ticks/TimeScale × Rate
	border := mulDivUp(int64(k)*t.Ticks, int64(s.Rate), t.TimeScale)
	return max(0, (border-s.First+FrameSamples-1)/FrameSamples)
}

// aacLC reports whether a track is AAC-LC, whose frames are delivered as they
// are. aacparse names the profile, of raw frames by their codec_data.
func aacLC(caps string) bool {
	return capsName(caps) == "audio/mpeg" && capsInt(caps, "mpegversion") == 4 && capsField(caps, "profile") == "lc"
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
		layout := "(bitmask)0x3"
		switch s.Channels {
		case 1:
			layout = "(bitmask)0x4"
		case 6:
			layout = "(bitmask)0x3f"
		}
		mask := ""
		if s.Channels > 1 {
			mask = ",channel-mask=" + layout
		}
		nodes = append(nodes,
			Node{Factory: "decodebin"}, Node{Factory: "audioconvert"}, Node{Factory: "audioresample"},
			Node{Caps: fmt.Sprintf("audio/x-raw,rate=%d,channels=%d%s", s.Rate, s.Channels, mask)},
			Node{Factory: "audiorate", Name: "rate", Props: []Prop{{"tolerance", "40000000"}}},
			Node{Factory: "audioconvert"},
			Node{Factory: "avenc_aac", Name: "encoder", Props: []Prop{{"bitrate", strconv.Itoa(s.BitRate)}}},
			Node{Caps: "audio/mpeg,mpegversion=4,stream-format=raw"})
	}
	g.Branches = []Branch{{StreamID: s.StreamID, Pad: "sink", Nodes: nodes}}
	return g
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

package pipeline

import "time"

// LiveSpec says how a live stream is made.
type LiveSpec struct {
	PlaySpec  // without Burn: there are no subtitles
	Sound     LiveSound
	KeyFrames time.Duration // the longest time from one key frame to the next
}

// LiveSound is what the sound of a live stream is delivered as.
type LiveSound string

// The kinds of sound. What is that already is passed on as it is.
const (
	LiveSilent LiveSound = ""
	LiveAAC    LiveSound = "aac"
	LiveOpus   LiveSound = "opus"
)

// LiveTimeScale is what times of a live picture are counted in a second: as in RTP
// (RFC 3551 §5) and MPEG-TS.
const LiveTimeScale = 90000

// check refuses what can be refused without a look at the stream.
func (s LiveSpec) check() error {
	switch {
	case s.KeyFrames <= 0:
		return fail(CodeSpec, nil, "key frames: must be more than no time (got %s)", s.KeyFrames)
	case s.Sound != LiveSilent && s.Sound != LiveAAC && s.Sound != LiveOpus:
		return fail(CodeSpec, nil, "audio: must be aac, opus or none (got %q)", s.Sound)
	}
	return s.spec().Check()
}

// How many decoded pictures wait for the upscaler, and for how long: enough for what
// comes in bursts, and not so much that it is seen. Where the queue is full the
// oldest goes, and what waited longer than that goes where a newer one is there.
const (
	livePictures = 8
	liveWait     = 150 * time.Millisecond
)

// How many bytes of compressed pictures wait for the decoder, which is what keeps the
// stream flowing, and when they are late.
const (
	liveBytes = 32 << 20
	liveLate  = 500 * time.Millisecond
)

// newLivePlan decides how the picture of a live stream is made, and how it is told of.
// Its nodes lead from a decoded picture to an encoded one.
func newLivePlan(m Media, s LiveSpec, has func(factory string) bool) (PlayPlan, error) {
	v := m.Video
	if transfer := hdrTransfer(v.Colorimetry); transfer != "" {
		return PlayPlan{}, fail(CodeHDR, nil, "the stream is HDR (%s), which is not delivered live: its picture would have wrong colours", transfer)
	}
	if v.Width*v.Height > MaxPixels {
		return PlayPlan{}, fail(CodeTooLarge, nil, "the picture of the stream is %d×%d; up to %d megapixels are taken", v.Width, v.Height, MaxPixels/1_000_000)
	}
	encoder, err := chooseEncoder(H264, 8, has)
	if err != nil {
		return PlayPlan{}, err
	}
	p := Plan{Spec: s.spec(), Media: m, narrow: true, anew: map[uint64]bool{}}
	resize := p.resize()
	if err := p.checkSize(); err != nil {
		return PlayPlan{}, err
	}
	waiting := queue("upscale", livePictures)
	waiting.Props = append(waiting.Props, Prop{"leaky", "downstream"})
	nodes := append(p.form(), waiting, s.upscaler(), polite(queue("encode", 1)))
	nodes = append(nodes, resize...)
	coding := playEncoder(encoder, s.PlaySpec, &p)
	coding.Props = append(coding.Props, Prop{"tune", "zerolatency"}) // threads share a picture, in place of one each
	nodes = append(nodes, Node{Factory: "adjust", Name: "adjust"}, coding, Node{Caps: "video/x-h264,stream-format=avc,alignment=au"})
	s.MaxRate = s.maxRate(p.Width, p.Height)
	return PlayPlan{
		Spec: s.PlaySpec, Media: m, Timeline: Timeline{TimeScale: LiveTimeScale, Rate: v.Rate}, Width: p.Width, Height: p.Height,
		Aspect: p.Aspect(), Notes: append(p.Changed, p.Lost...), picture: nodes,
	}, nil
}

// newLiveSound decides whether sound is passed on, of which the caps are told.
func newLiveSound(caps string, as LiveSound) SoundPlan {
	s := SoundPlan{
		Track: Track{Caps: caps}, Rate: capsInt(caps, "rate"), Channels: max(1, capsInt(caps, "channels")), Opus: as == LiveOpus,
	}
	if s.Opus {
		s.Codec = SoundOpus
	}
	switch {
	case as == LiveAAC:
		s.Passed = aacLC(caps)
	case capsName(caps) == "audio/x-opus":
		s.Passed = s.Channels <= 2 && capsInt(caps, "channel-mapping-family") == 0
	}
	s.settle()
	return s
}

// settle chooses the form of sound that is encoded, of which all may be unknown.
func (s *SoundPlan) settle() {
	switch {
	case s.Opus:
		s.Rate, s.Channels = OpusRate, min(s.Channels, 2)
		s.BitRate = 64000 * s.Channels
	case !s.Passed:
		s.encode()
	}
}

// FrameLength returns how many samples a packet has, where it is encoded here.
func (s *SoundPlan) FrameLength() int {
	if s.Opus {
		return OpusFrame
	}
	return aacFrame
}

// liveNodes returns the way from a track to its packets.
func (s *SoundPlan) liveNodes() []Node {
	if s.Passed {
		return []Node{{Factory: "identity", Props: []Prop{{"silent", "true"}}}}
	}
	nodes := []Node{{Factory: "decodebin"}, {Factory: "audioconvert"}, {Factory: "audioresample"}}
	if s.Opus {
		raw := "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=" + itoa(s.Channels)
		return append(nodes, Node{Caps: raw}, Node{Factory: "opusenc", Props: []Prop{
			{"frame-size", "20"}, {"bitrate", itoa(s.BitRate)},
		}})
	}
	return append(nodes, Node{Caps: s.raw()}, Node{Factory: "audioconvert"},
		Node{Factory: "avenc_aac", Props: []Prop{{"bitrate", itoa(s.BitRate)}}},
		Node{Caps: "audio/mpeg,mpegversion=4,stream-format=raw"})
}

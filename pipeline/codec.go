package pipeline

import (
	"fmt"
	"strconv"
)

// codec tells how a video codec is encoded here.
type codec struct {
	title   string
	encoder []string // element factories, the best first
	parser  string   // factory that brings the stream into the container's form, "" for none
	usual   int      // constant quality by default
	worst   int      // the largest constant quality
	least   int      // the smallest width and height that its encoders take
	deep    []string // encoders among them that take 10 bits
}

// x265 3.5 writes over its memory at 34×16 to 62×30 and refuses less than 16, so
// HEVC begins at 32; the others are tried down to what they take.
var codecTable = map[VideoCodec]codec{
	H264: {title: "H.264", encoder: []string{"x264enc"}, parser: "h264parse", usual: 20, worst: 51, least: 2, deep: []string{"x264enc"}},
	HEVC: {title: "HEVC", encoder: []string{"x265enc"}, parser: "h265parse", usual: 22, worst: 51, least: 32, deep: []string{"x265enc"}},
	AV1:  {title: "AV1", encoder: []string{"svtav1enc", "av1enc"}, parser: "av1parse", usual: 30, worst: 63, least: 4, deep: []string{"svtav1enc"}},
	VP9:  {title: "VP9", encoder: []string{"vp9enc"}, parser: "vp9parse", usual: 31, worst: 63, least: 2, deep: []string{"vp9enc"}},
}

// bySpeed picks one of three by the speed.
func bySpeed(s Speed, fast, balanced, best string) string {
	return map[Speed]string{Fast: fast, Balanced: balanced, Best: best}[s]
}

// keyFrames is the longest distance between key frames in seconds: players
// seek to them.
const keyFrames = 5

// x264Fast turns back on what ultrafast leaves out and the eye misses most: the
// filter of block edges, and bits for flat and dark parts. Both cost up to a
// sixth of the encoder's time and save a tenth of the bytes; see docs/decisions/0009-speed.md.
const x264Fast = "no-deblock=0:aq-mode=1"

// streamLook is how many pictures an encoder may look ahead in a stream: whoever reads
// one waits for the first result that long.
const streamLook = "8"

// encoderNode returns the encoder with its settings. Names and ranges of the
// properties are those of GStreamer 1.22; speeds are the encoders' own presets.
func encoderNode(factory string, s Spec, quality int, rate float64) Node {
	if rate <= 0 {
		rate = 25 // of no known rate: the distance is a bound, not a promise
	}
	key := strconv.Itoa(int(rate*keyFrames + 0.5))
	threads := strconv.Itoa(s.Threads.Encode)
	q := strconv.Itoa(quality)
	n := Node{Factory: factory, Name: "encoder"}
	switch factory {
	case "x264enc":
		n.Props = []Prop{
			{"pass", "qual"},
			{"quantizer", q},
			{"vbv-buf-capacity", "0"}, // else constant quality ends at the property bitrate, 2048 kbit/s
			{"speed-preset", bySpeed(s.Speed, "ultrafast", "medium", "slower")},
			{"key-int-max", key},
			{"threads", threads},
		}
		if s.Speed == Fast {
			n.Props = append(n.Props, Prop{"option-string", x264Fast})
		}
		if s.Stream && s.Speed != Fast { // which does not look ahead
			n.Props = append(n.Props, Prop{"rc-lookahead", streamLook}, Prop{"sync-lookahead", "0"})
		}
	case "x265enc":
		options := "crf=" + q
		if s.Threads.Encode > 0 {
			options += ":pools=" + threads
		}
		if s.Stream {
			options += ":rc-lookahead=" + streamLook
		}
		n.Props = []Prop{{"option-string", options}, {"speed-preset", bySpeed(s.Speed, "superfast", "medium", "slower")}, {"key-int-max", key}}
	case "svtav1enc":
		n.Props = []Prop{{"crf", q}, {"preset", bySpeed(s.Speed, "10", "7", "4")}, {"intra-period-length", key}}
	case "av1enc":
		// aomenc's quantizers go to 63; both bounds around the asked one hold it.
		n.Props = []Prop{
			{"end-usage", "q"},
			{"min-quantizer", strconv.Itoa(max(0, quality-2))},
			{"max-quantizer", strconv.Itoa(min(63, quality+8))},
			{"cpu-used", bySpeed(s.Speed, "8", "6", "4")},
			{"keyframe-max-dist", key},
			{"threads", threads},
			{"row-mt", "true"},
		}
	case "vp9enc":
		// It aims at a rate even so, and guesses one where none is told: one that is
		// never reached leaves the quantizers at their lower bound. Bounds with frames
		// held back, which a deadline of 1 has no use for, lose frames (libvpx 1.12).
		n.Props = []Prop{
			{"end-usage", "cq"},
			{"cq-level", q},
			{"target-bitrate", "1000000000"},
			{"min-quantizer", strconv.Itoa(max(0, quality-4))},
			{"max-quantizer", strconv.Itoa(min(63, quality+8))},
			{"deadline", "1"},
			{"lag-in-frames", "0"},
			{"cpu-used", bySpeed(s.Speed, "8", "5", "2")},
			{"keyframe-max-dist", key},
			{"threads", threads},
			{"row-mt", "true"},
		}
	}
	return n
}

// chooseEncoder returns the first encoder of a codec that GStreamer has and
// that takes the bits.
func chooseEncoder(c VideoCodec, bits int, has func(string) bool) (string, error) {
	t := codecTable[c]
	for _, f := range t.encoder {
		if has(f) && (bits == 8 || contains(t.deep, f)) {
			return f, nil
		}
	}
	if bits > 8 && has(t.encoder[len(t.encoder)-1]) {
		return "", fail(CodeSpec, nil, "the %s encoder here takes 8 bits, the source has %d: choose hevc", t.title, bits)
	}
	return "", fail(CodeMissing, nil, "GStreamer has no %s encoder (%v); run upscaled doctor", t.title, t.encoder)
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// qualityOf returns the asked quality, or the codec's usual one.
func (s Spec) qualityOf(c VideoCodec) int {
	if s.Quality >= 0 {
		return s.Quality
	}
	return codecTable[c].usual
}

// describe tells the encoding in the plan.
func describe(c VideoCodec, factory string, quality int, speed Speed) string {
	return fmt.Sprintf("%s by %s, quality %d, %s", codecTable[c].title, factory, quality, speed)
}

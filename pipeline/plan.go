package pipeline

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/elements/frame"
)

// Plan is what will be done with a file.
type Plan struct {
	Graph    Graph
	Spec     Spec // with every choice made
	Media    Media
	Width    int // of the written picture, in pixels
	Height   int
	Encoding string
	Kept     []string          // what is carried over, one sentence each
	Changed  []string          // what is carried over in another form
	Lost     []string          // what cannot be kept, and why
	Changes  container.Changes // what Finish writes, but for attachments

	film        *Film           // that is read in place of the file at Media.Path
	out         *os.File        // that is written in place of the file at Spec.Output
	narrow      bool            // 8 bits, whatever the source has
	attachments bool            // Finish copies the source's attachments
	anew        map[uint64]bool // by UID, the source's tracks that are encoded anew
	colours     colours         // of the written picture
	site        string          // of its chroma
}

// NewPlan decides how a file becomes what s asks for. It is pure: has tells
// which element factories there are. Errors are of type *Error.
func NewPlan(m Media, s Spec, has func(factory string) bool) (Plan, error) {
	if s.Codec == "" {
		s.Codec = H264
		if m.Video.HDR() {
			s.Codec = HEVC
		}
	}
	if err := s.Check(); err != nil {
		return Plan{}, err
	}
	p := Plan{Spec: s, Media: m, anew: map[uint64]bool{m.Video.Facts.UID: true}}
	if err := p.checkRange(); err != nil {
		return Plan{}, err
	}
	if err := p.narrowed(); err != nil {
		return Plan{}, err
	}
	if err := p.checkHDR(); err != nil {
		return Plan{}, err
	}
	video, err := p.video(has)
	if err != nil {
		return Plan{}, err
	}
	if err := p.checkSize(); err != nil {
		return Plan{}, err
	}
	p.Graph.Source = []Node{
		{Factory: "filesrc", Name: "source", Props: []Prop{{"location", m.Path}}},
		{Factory: "parsebin", Name: "parse"},
	}
	p.keep(container.Video, video, m.Video.Track, "")
	if err := p.audio(has); err != nil {
		return Plan{}, err
	}
	p.text()
	for _, t := range m.Other {
		p.Lost = append(p.Lost, fmt.Sprintf("a further track of %s: one video track is carried over", t.Type()))
	}
	p.extras()
	if x := m.Extras; x.Format == container.Matroska {
		p.Graph.Begin = &x.Begin
	}
	p.Graph.Mux = p.muxer()
	return p, nil
}

// checkRange refuses what the source does not have. Of a file that breaks off
// what is asked for by its duration may be there; Run sees whether it is.
func (p *Plan) checkRange() error {
	m, s := p.Media, p.Spec
	switch {
	case m.BrokenOff != "" && s.Duration == 0:
		return fail(CodeDamaged, nil, "%s is damaged: %s; --duration takes what is there", m.Path, m.BrokenOff)
	case m.promised() > 0 && s.Start >= m.promised():
		return fail(CodeSpec, nil, "start: must lie before the end of the source at %s (got %s)", m.promised().Round(10*time.Millisecond), s.Start)
	}
	return nil
}

// checkSize refuses pictures that the upscaler cannot make or the encoder
// cannot write.
func (p *Plan) checkSize() error {
	v, s, c := p.Media.Video, p.Spec, codecTable[p.Spec.Codec]
	switch long := max(max(v.Width, v.Height)*s.Scale, p.Width, p.Height); {
	case long > frame.MaxSide:
		return fail(CodeTooLarge, nil, "the picture of %d×%d gets %d pixels long; up to %d can be written", v.Width, v.Height, long, frame.MaxSide)
	case min(p.Width, p.Height) < c.least:
		return fail(CodeSpec, nil, "the picture of %d×%d is too small for %s, which begins at %d×%d: choose another --video-codec",
			p.Width, p.Height, c.title, c.least, c.least)
	}
	return nil
}

// checkHDR refuses to pass HDR through what cannot carry it.
func (p *Plan) checkHDR() error {
	v := p.Media.Video
	transfer := hdrTransfer(v.Colorimetry)
	switch {
	case transfer == "":
	case p.Spec.Codec != HEVC:
		return fail(CodeHDR, nil, "the source is HDR (%s): it is kept in HEVC only, with --video-codec hevc", transfer)
	case p.bits() < 10:
		return fail(CodeHDR, nil, "the source calls itself HDR (%s) but would have %d bits", transfer, p.bits())
	}
	if v.DolbyVision {
		p.Lost = append(p.Lost, "the Dolby Vision layer: its HDR10 base is kept")
	}
	return nil
}

// narrowed decides whether the picture has 8 bits for what is done with it: filters
// take no more.
func (p *Plan) narrowed() error {
	switch {
	case !p.Spec.filtered() || p.bits() == 8:
		return nil
	case hdrTransfer(p.Media.Video.Colorimetry) != "":
		return fail(CodeHDR, nil, "the source is HDR (%s), which the filters do not take", hdrTransfer(p.Media.Video.Colorimetry))
	}
	p.Changed = append(p.Changed, fmt.Sprintf("%d bits become 8, which is what the filters take", p.Media.Video.Bits))
	p.narrow = true
	return nil
}

// bits returns the depth the picture is processed in. GStreamer's deinterlacers
// take 8 bits.
func (p *Plan) bits() int {
	if p.Media.Video.Bits > 8 && !p.Media.Video.Interlaced && !p.narrow {
		return 10
	}
	return 8
}

// queue returns a queue of at most n pictures.
func queue(name string, n int) Node {
	return Node{Factory: "queue", Name: name, Props: []Prop{
		{"max-size-buffers", strconv.Itoa(n)}, {"max-size-bytes", "0"}, {"max-size-time", "0"},
	}}
}

func polite(queue Node) Node {
	queue.Polite = true
	return queue
}

// pictures is how many raw pictures wait between two stages: enough to even
// out a slow one, few enough that 4K does not fill the memory. A full queue
// blocks the stage before it.
const pictures = 4

// video plans the branch of the picture.
func (p *Plan) video(has func(string) bool) (Branch, error) {
	v, s := p.Media.Video, p.Spec
	encoder, err := chooseEncoder(s.Codec, p.bits(), has)
	if err != nil {
		return Branch{}, err
	}
	// Compressed pictures: the decoder's way through a key frame interval must
	// not hold up the sound.
	nodes := []Node{polite(p.compressed("decode"))}
	nodes = append(nodes, p.decoder()...)
	resize := p.resize()
	nodes = append(nodes, p.form()...)
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
	nodes = append(nodes, resize...)
	if s.filtered() {
		nodes = append(nodes, Node{Factory: "adjust", Name: "adjust"})
	}
	quality := s.qualityOf(s.Codec)
	nodes = append(nodes, p.encode(encoderNode(encoder, s, quality, v.Rate.Float()))...)
	nodes = append(nodes, p.byteQueue("write"))
	p.Encoding = describe(s.Codec, encoder, quality, s.Speed)
	return Branch{StreamID: v.StreamID, Nodes: nodes}, nil
}

// encode plans the encoder e and what is around it so that colours and place of
// the chroma are told. AV1 and VP9 have no place but left: chroma that lies
// elsewhere is half a pixel of the output off.
func (p *Plan) encode(e Node) []Node {
	e.Stage = StageEncode
	var before, after []Node
	if e.Factory == "x265enc" && p.few() {
		e.Props = withOption(e.Props, "bframes=0")
	}
	switch p.Spec.Codec {
	case H264, HEVC:
		if p.site != siteLeft {
			e.Props = withOption(e.Props, "chromaloc="+chromaLoc[p.site])
		}
	case VP9:
		if c := vp9Colours(p.colours); c != p.colours {
			before = append(before, named("video/x-raw,colorimetry=(string)"+c.String()))
			after = append(after, named("video/x-vp9,colorimetry=(string)"+p.colours.String()))
		}
	case AV1: // the container tells them at least
		after = append(after, named("video/x-av1,colorimetry=(string)"+p.colours.String()))
	}
	nodes := append(before, e)
	if parser := codecTable[p.Spec.Codec].parser; parser != "" {
		nodes = append(nodes, Node{Factory: parser, Stamps: true})
	}
	return append(nodes, after...)
}

// few reports whether there are so few pictures that x265 (3.5) puts them out
// before it knows the first decoding times: then they are left as they were in
// memory, and no muxer takes the pictures.
func (p *Plan) few() bool {
	v, s := p.Media.Video, p.Spec
	length := p.Media.Duration - s.Start
	if s.Duration > 0 && (length <= 0 || s.Duration < length) {
		length = s.Duration
	}
	rate := max(1, v.Rate.Float()) // a rate that varies is told as 0
	return length > 0 && length.Seconds()*rate < 8
}

// withOption adds to the encoder's own options.
func withOption(props []Prop, option string) []Prop {
	for i := range props {
		if props[i].Name == "option-string" {
			props[i].Value += ":" + option
			return props
		}
	}
	return append(props, Prop{"option-string", option})
}

func provider(p string) string {
	if p == "" {
		return "auto"
	}
	return p
}

// decoder returns the parsers and the decoder that the probe found.
func (p *Plan) decoder() []Node {
	var nodes []Node
	for i, f := range p.Media.Video.Decoder {
		n := Node{Factory: f}
		if i == len(p.Media.Video.Decoder)-1 {
			n.Name, n.Stage = "decoder", StageDecode
			n.Steady = p.Media.Video.Type() == "video/mpeg" && capsInt(p.Media.Video.Caps, "mpegversion") <= 2
			if len(f) > 6 && f[:6] == "avdec_" && p.Spec.Threads.Decode > 0 {
				n.Props = []Prop{{"max-threads", strconv.Itoa(p.Spec.Threads.Decode)}}
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// resize plans the plain scaler after the model, and the size that is written.
func (p *Plan) resize() []Node {
	v, s := p.Media.Video, p.Spec
	w, h, aspect := v.Width, v.Height, v.PixelAspect
	if turned(v.Orientation) {
		w, h, aspect = h, w, Fraction{aspect.Den, aspect.Num}
	}
	p.Width, p.Height = w*s.Scale, h*s.Scale
	odd := p.Width%2 != 0 || p.Height%2 != 0
	switch {
	case s.Height == 0 && odd:
		p.Changed = append(p.Changed, fmt.Sprintf("%d×%d is made even, as 4:2:0 is encoded", p.Width, p.Height))
		p.Width, p.Height = even(float64(p.Width)), even(float64(p.Height))
	case s.Height == 0 || s.Height == p.Height && !odd:
		return nil
	default:
		p.Width, p.Height = even(float64(p.Width)*float64(s.Height)/float64(p.Height)), s.Height
	}
	switch {
	case s.Height == 0:
	case h > s.Height:
		p.Changed = append(p.Changed, fmt.Sprintf("the source's %d rows are more than the %d asked for: it is upscaled and then made smaller", h, s.Height))
	case h == s.Height:
		p.Changed = append(p.Changed, fmt.Sprintf("the source's %d rows are as many as asked for: it is upscaled and then made smaller", h))
	}
	if aspect != (Fraction{1, 1}) { // square pixels stay square, be the width half a pixel off
		aspect = reduced(w*aspect.Num*p.Height, h*aspect.Den*p.Width)
	}
	return []Node{
		{Factory: "videoscale", Props: []Prop{{"method", "lanczos"}, {"add-borders", "false"}}},
		{Caps: fmt.Sprintf("video/x-raw,width=%d,height=%d,pixel-aspect-ratio=%s", p.Width, p.Height, aspect)},
	}
}

// reduced returns a fraction in lowest terms.
func reduced(num, den int) Fraction {
	a, b := num, den
	for b != 0 {
		a, b = b, a%b
	}
	return Fraction{num / max(a, 1), den / max(a, 1)}
}

func even(x float64) int { return int(x/2+0.5) * 2 }

// turned reports whether an orientation swaps width and height.
func turned(orientation string) bool {
	switch orientation {
	case "rotate-90", "rotate-270", "flip-rotate-90", "flip-rotate-270":
		return true
	}
	return false
}

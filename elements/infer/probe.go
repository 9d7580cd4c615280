package infer

import (
	"errors"
	"fmt"
	"math"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// probeSides are the sizes at which a network of dynamic size is tried, until
// one runs: together they are multiples of everything that is usual, and the last
// is for networks that need much room.
var probeSides = []int{64, 96, 80, 256}

// flatTolerance is how far, in parts of white, plain grey may be from what was
// fed. Networks for pictures come within 0.01; one that is fed the wrong range
// is off by more than half.
const flatTolerance = 0.06

// prober runs a network as it is in the file, between two casts so that
// values are float32 outside. Its facts fill up step by step.
type prober struct {
	model   string
	session *ort.DynamicAdvancedSession
	facts   graph.Facts
	reach   int
}

// probe finds the facts of a network by running it. The same file gives the
// same facts. The error is a *ModelError.
func probe(model string, data []byte, sig graph.Signature) (facts graph.Facts, reach int, err error) {
	p := &prober{model: model, facts: graph.Facts{Signature: sig, MultipleW: 1, MultipleH: 1}}
	onnx, err := castEnds(data, sig)
	if err != nil {
		return graph.Facts{}, 0, p.refuse(ErrModelFormat, err)
	}
	options, err := cpuOptions(0)
	if err != nil {
		return graph.Facts{}, 0, p.refuse(ErrModelRun, err)
	}
	defer options.Destroy()
	p.session, err = ort.NewDynamicAdvancedSessionWithONNXData(onnx, []string{probeInput}, []string{probeOutput}, options)
	if err != nil {
		return graph.Facts{}, 0, p.refuse(ErrModelRun, err)
	}
	defer p.session.Destroy()
	if err := p.find(); err != nil {
		return graph.Facts{}, 0, err
	}
	return p.facts, p.reach, nil
}

// find fills in the facts, each step relying on those before.
func (p *prober) find() error {
	width, height, err := p.findSize()
	if err != nil {
		return err
	}
	if p.facts.Width == 0 {
		p.facts.MultipleW = p.multiple(width, func(w int) (*picture, error) { return p.run(plain(w, height, 0.5)) })
	}
	if p.facts.Height == 0 {
		p.facts.MultipleH = p.multiple(height, func(h int) (*picture, error) { return p.run(plain(width, h, 0.5)) })
	}
	if err := p.findPeak(width, height); err != nil {
		return err
	}
	p.findReach(width)
	return nil
}

// findSize tries sizes, and channels where the file leaves them open, until
// the network runs. It finds the scale and returns the size.
func (p *prober) findSize() (width, height int, err error) {
	choices := []int{p.facts.InChannels}
	if choices[0] == 0 {
		choices = []int{1, 3}
	}
	var failures []error
	for _, side := range probeSides {
		for _, channels := range choices {
			width, height = orElse(p.facts.Width, side), orElse(p.facts.Height, side)
			p.setChannels(channels)
			out, err := p.run(plain(width, height, 0.5))
			if err == nil {
				return width, height, p.setScale(out)
			}
			failures = append(failures, fmt.Errorf("at %dx%d: %w", width, height, err))
		}
	}
	return 0, 0, p.refuse(ErrModelRun, errors.Join(failures...))
}

// orElse returns n, or other where n is 0.
func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// setChannels notes how many channels the network has, and so what they are.
func (p *prober) setChannels(n int) {
	p.facts.InChannels, p.facts.OutChannels, p.facts.Kind = n, n, graph.Luma
	if n == 3 {
		p.facts.Kind = graph.RGB
	}
}

// setScale notes the scale of a result.
func (p *prober) setScale(out *picture) error {
	p.facts.Scale = out.width / out.of.width
	if p.facts.Scale < 1 || p.facts.Scale > graph.MaxScale || !out.matches(p.facts.Scale) {
		return p.refuse(ErrModelScale, fmt.Errorf("%dx%d gave %dx%d", out.of.width, out.of.height, out.width, out.height))
	}
	return nil
}

// multiple returns what a side must be a multiple of: the smallest divisor d of
// side, at which the network runs, such that it also runs at side + d.
func (p *prober) multiple(side int, run func(side int) (*picture, error)) int {
	for d := 1; d < side; d++ {
		if side%d != 0 {
			continue
		}
		// A run that fails, or gives another size than it should, is the
		// answer for this divisor and no error.
		if out, err := run(side + d); err == nil && out.matches(p.facts.Scale) {
			return d
		}
	}
	return side
}

// findPeak finds out whether white is 1 or 255: a network keeps plain grey as
// it is only in the range that it was trained for. One that treats every range
// alike tells by where it cuts values off, if it does.
func (p *prober) findPeak(width, height int) error {
	one, err := p.flatError(width, height, 1)
	if err != nil {
		return err
	}
	if one <= flatTolerance && p.facts.InType != graph.Uint8 {
		p.facts.Peak = 1
		if p.cutsOff(width, height, 255) {
			p.facts.Peak = 255
		}
		return p.checkTexture(width, height)
	}
	bytes, err := p.flatError(width, height, 255)
	switch {
	case err != nil:
		return err
	case bytes <= flatTolerance:
		p.facts.Peak = 255
		return p.checkTexture(width, height)
	case math.IsInf(one, 1) && math.IsInf(bytes, 1):
		return p.refuse(ErrModelValues, nil)
	default:
		return p.refuse(ErrModelRange, fmt.Errorf("it is off by %.2g of white where white is 1, by %.2g where white is 255", one, bytes))
	}
}

// flatError returns how far plain pictures of several levels are from what
// was fed, at worst, in parts of white; +Inf where values are not finite.
func (p *prober) flatError(width, height int, peak float32) (float64, error) {
	worst := 0.0
	for _, level := range []float32{0.25, 0.5, 0.75, 1} {
		fed := level * peak
		if p.facts.InType == graph.Uint8 {
			fed = float32(math.Round(float64(fed)))
		}
		out, err := p.run(plain(width, height, fed))
		if err != nil {
			return 0, p.refuse(ErrModelRun, err)
		}
		if !out.finite() {
			return math.Inf(1), nil
		}
		for c := range p.facts.OutChannels {
			worst = max(worst, math.Abs(out.middle(c)-float64(fed))/float64(peak))
		}
	}
	return worst, nil
}

// cutsOff reports whether brighter values than peak come out as peak.
func (p *prober) cutsOff(width, height int, peak float64) bool {
	out, err := p.run(plain(width, height, float32(1.5*peak)))
	return err == nil && out.finite() && math.Abs(out.middle(0)/peak-1) <= flatTolerance
}

// checkTexture looks for values that are not finite on a picture with every
// contrast, edges and noise.
func (p *prober) checkTexture(width, height int) error {
	out, err := p.run(texture(width, height, float32(p.facts.Peak)))
	if err != nil {
		return p.refuse(ErrModelRun, err)
	}
	if !out.finite() {
		return p.refuse(ErrModelValues, errors.New("on a picture with strong contrasts"))
	}
	return nil
}

// reachSide is the height of the picture on which the reach of a network is
// found, and so about twice the largest reach that is.
const reachSide = 128

// findReach finds how far, in rows, a change is seen: it whitens rows in the
// middle of a picture without white and looks for the furthest that changed.
// Changes below a quarter of a level of 10 bits are none.
func (p *prober) findReach(width int) {
	p.reach = -1
	if p.facts.Height > 0 {
		return
	}
	m, scale, peak := p.facts.MultipleH, p.facts.Scale, float32(p.facts.Peak)
	height := (reachSide + m - 1) / m * m
	at := height / 2 / m * m
	picture := texture(width, height, peak/2)
	before, err := p.run(picture)
	if err != nil {
		return // not seen is not known
	}
	for i := at * width; i < (at+m)*width; i++ {
		picture.values[i] = peak
	}
	after, err := p.run(picture)
	if err != nil {
		return
	}
	first, last := before.changed(after, p.facts.Peak/1023/4)
	if first == 0 || last == before.height-1 {
		return
	}
	p.reach = max(at-first/scale, last/scale-(at+m-1), 0)
}

// run feeds a picture in the network's layout, the same in every channel.
func (p *prober) run(in *picture) (*picture, error) {
	c, h, w := p.facts.InChannels, in.height, in.width
	values := make([]float32, 0, c*h*w)
	shape := ort.NewShape(1, int64(c), int64(h), int64(w))
	if p.facts.ChannelsLast {
		shape = ort.NewShape(1, int64(h), int64(w), int64(c))
		for _, v := range in.values {
			for range c {
				values = append(values, v)
			}
		}
	} else {
		for range c {
			values = append(values, in.values...)
		}
	}
	tensor, err := ort.NewTensor(shape, values)
	if err != nil {
		return nil, err
	}
	defer tensor.Destroy()
	results := []ort.Value{nil}
	if err := p.session.Run([]ort.Value{tensor}, results); err != nil {
		return nil, err
	}
	defer results[0].Destroy()
	return p.picture(results[0], in)
}

// picture reads what the network made of in.
func (p *prober) picture(v ort.Value, in *picture) (*picture, error) {
	tensor, ok := v.(*ort.Tensor[float32])
	shape := v.GetShape()
	if !ok || len(shape) != 4 {
		return nil, fmt.Errorf("the result has the shape %v, not that of a picture", shape)
	}
	out := &picture{of: in, height: int(shape[2]), width: int(shape[3]), step: 1, plane: int(shape[2] * shape[3]), values: tensor.GetData()}
	channels := shape[1]
	if p.facts.ChannelsLast {
		channels = shape[3]
		out.height, out.width, out.step, out.plane = int(shape[1]), int(shape[2]), int(channels), 1
	}
	if shape[0] != 1 || channels != int64(p.facts.OutChannels) || len(out.values) == 0 {
		return nil, fmt.Errorf("the result has the shape %v, not that of one picture of %d channels", shape, p.facts.OutChannels)
	}
	return out, nil
}

// refuse returns the error that the model cannot be used.
func (p *prober) refuse(reason, detail error) error {
	return &ModelError{Model: p.model, Reason: reason, Detail: detail}
}

// The ends of a network that castEnds has put between casts.
const (
	probeInput  = "upscaled_probe_input"
	probeOutput = "upscaled_probe_output"
)

// castEnds returns the model with float32 at both ends, whatever its own type
// is: the binding cannot read half-precision results.
func castEnds(data []byte, sig graph.Signature) ([]byte, error) {
	var model onnxpb.ModelProto
	if err := proto.Unmarshal(data, &model); err != nil {
		return nil, err
	}
	g := model.GetGraph()
	// ONNX and ONNX Runtime number the element types alike.
	inner := onnxpb.TensorProto_DataType(elementType(sig.InType))
	open := onnxpb.Node("Cast", []string{probeInput}, []string{sig.Input}, onnxpb.Attribute("to", inner))
	shut := onnxpb.Node("Cast", []string{sig.Output}, []string{probeOutput}, onnxpb.Attribute("to", onnxpb.Float))
	g.Node = append(append([]*onnxpb.NodeProto{open}, g.Node...), shut)
	for i, in := range g.Input {
		if in.GetName() == sig.Input {
			g.Input[i] = onnxpb.Value(probeInput, onnxpb.Float, dimensions(sig)...)
		}
	}
	g.Output = []*onnxpb.ValueInfoProto{onnxpb.Value(probeOutput, onnxpb.Float, "n", "x", "y", "z")}
	return proto.Marshal(&model)
}

// dimensions returns the shape of the network's input.
func dimensions(sig graph.Signature) []any {
	side := func(n int, symbol string) any {
		if n > 0 {
			return n
		}
		return symbol
	}
	h, w, c := side(sig.Height, "probe_height"), side(sig.Width, "probe_width"), side(sig.InChannels, "probe_channels")
	if sig.ChannelsLast {
		return []any{1, h, w, c}
	}
	return []any{1, c, h, w}
}

package graph

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// The operator sets of models that can be wrapped. Before 11 the operators of
// the wrapping had other forms; MaxOpset is what ONNX Runtime 1.27 knows.
const (
	MinOpset = 11
	MaxOpset = 26
)

// netPrefix stands before the name of every value of the network, so that the
// names of the wrapping cannot meet them.
const netPrefix = "net/"

// Model is an ONNX model as read from its file. It does not change and may be
// used by several goroutines at once.
type Model struct {
	proto *onnxpb.ModelProto // values are named with netPrefix
	opset int64              // of the default domain
}

// Parse reads an ONNX file. The error wraps ErrNotONNX, ErrExternalData or
// ErrOpset. Data is not kept.
func Parse(data []byte) (*Model, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: the file is empty", ErrNotONNX)
	}
	m := &Model{proto: &onnxpb.ModelProto{}}
	if err := proto.Unmarshal(data, m.proto); err != nil {
		return nil, fmt.Errorf("%w: the file is damaged, incomplete or of another format (%w)", ErrNotONNX, err)
	}
	if m.proto.Graph == nil || len(m.proto.OpsetImport) == 0 {
		return nil, fmt.Errorf("%w: it holds no graph", ErrNotONNX)
	}
	m.opset = defaultOpset(m.proto.OpsetImport)
	if m.opset < MinOpset || m.opset > MaxOpset {
		return nil, fmt.Errorf("%w: the model uses %d; export it again with one from %d to %d",
			ErrOpset, m.opset, MinOpset, MaxOpset)
	}
	graphs := []*onnxpb.GraphProto{m.proto.Graph}
	for _, f := range m.proto.Functions {
		graphs = append(graphs, &onnxpb.GraphProto{Node: f.Node})
	}
	for _, g := range graphs {
		if name, ok := externalTensor(g); ok {
			return nil, fmt.Errorf("%w: %q; save it as one file", ErrExternalData, name)
		}
	}
	rename(m.proto.Graph)
	return m, nil
}

// defaultOpset returns the version of the default domain, which has two
// spellings, or 0.
func defaultOpset(imports []*onnxpb.OperatorSetIdProto) int64 {
	for _, o := range imports {
		if defaultDomain(o.GetDomain()) {
			return o.GetVersion()
		}
	}
	return 0
}

func defaultDomain(domain string) bool { return domain == "" || domain == "ai.onnx" }

// externalTensor returns the name of a tensor of g, or of a graph in it, whose
// values are not in the file.
func externalTensor(g *onnxpb.GraphProto) (string, bool) {
	var tensors []*onnxpb.TensorProto
	tensors = append(tensors, g.Initializer...)
	sparse := append([]*onnxpb.SparseTensorProto{}, g.SparseInitializer...)
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			tensors = append(append(tensors, a.T), a.Tensors...)
			sparse = append(append(sparse, a.SparseTensor), a.SparseTensors...)
		}
	}
	for _, s := range sparse {
		tensors = append(tensors, s.GetValues(), s.GetIndices())
	}
	for _, t := range tensors {
		if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
			return t.GetName(), true
		}
	}
	for _, sub := range subgraphs(g) {
		if name, ok := externalTensor(sub); ok {
			return name, true
		}
	}
	return "", false
}

// subgraphs returns the graphs that the nodes of g hold (bodies of If, Loop
// and Scan).
func subgraphs(g *onnxpb.GraphProto) []*onnxpb.GraphProto {
	var subs []*onnxpb.GraphProto
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			if a.G != nil {
				subs = append(subs, a.G)
			}
			subs = append(subs, a.Graphs...)
		}
	}
	return subs
}

// rename puts netPrefix before every name of a value in g and the graphs in
// it. All of them get it, so what a body takes from outside stays the same
// value. Shapes written down for values inside are dropped: the runtime infers
// them again for the size that the graph is wrapped for.
func rename(g *onnxpb.GraphProto) {
	prefixed := func(names []string) {
		for i, name := range names {
			if name != "" { // an optional input that is left out
				names[i] = netPrefix + name
			}
		}
	}
	for _, n := range g.Node {
		prefixed(n.Input)
		prefixed(n.Output)
		n.Name = proto.String(netPrefix + n.GetName())
	}
	for _, values := range [][]*onnxpb.ValueInfoProto{g.Input, g.Output} {
		for _, v := range values {
			v.Name = proto.String(netPrefix + v.GetName())
		}
	}
	for _, t := range g.Initializer {
		t.Name = proto.String(netPrefix + t.GetName())
	}
	for _, s := range g.SparseInitializer {
		if s.Values != nil {
			s.Values.Name = proto.String(netPrefix + s.Values.GetName())
		}
	}
	g.ValueInfo, g.QuantizationAnnotation = nil, nil
	for _, sub := range subgraphs(g) {
		rename(sub)
	}
}

// shown returns the name of a value as its author gave it.
func shown(name string) string { return strings.TrimPrefix(name, netPrefix) }

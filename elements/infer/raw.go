package infer

import (
	"errors"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// Raw is a luma network as it is in its file, float32 to float32, with the
// options of an Upscaler on the CPU and nothing around it: what an Upscaler is
// measured against. One caller at a time.
type Raw struct {
	session *ort.DynamicAdvancedSession
	in, out *ort.Tensor[float32]
}

// NewRaw loads data, the file that m was loaded from, for pictures of width × height pixels, rounded up to what the
// network takes. threads 0 is DefaultThreads(). Only dynamic float32 luma
// networks can be measured so; others give ErrConfig.
func NewRaw(m *Model, data []byte, width, height, threads int) (*Raw, error) {
	f := m.facts
	if f.Kind != graph.Luma || f.InType != graph.Float32 || f.OutType != graph.Float32 || f.Width != 0 {
		return nil, fmt.Errorf("%w: %s is not a float32 luma network of any size", ErrConfig, m.name)
	}
	o, err := cpuOptions(threads)
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	r := &Raw{}
	if r.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, []string{f.Input}, []string{f.Output}, o); err != nil {
		return nil, err
	}
	multiple := func(n, m int) int64 { return int64((n + m - 1) / m * m) }
	w, h := multiple(width, f.MultipleW), multiple(height, f.MultipleH)
	values := make([]float32, w*h)
	for i := range values {
		values[i] = float32(f.Peak) * float32(i*7%256) / 255 // no two neighbours alike
	}
	var err1, err2 error
	r.in, err1 = ort.NewTensor(ort.NewShape(1, 1, h, w), values)
	r.out, err2 = ort.NewEmptyTensor[float32](ort.NewShape(1, 1, h*int64(f.Scale), w*int64(f.Scale)))
	if err := errors.Join(err1, err2); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Run computes the network once.
func (r *Raw) Run() error { return r.session.Run([]ort.Value{r.in}, []ort.Value{r.out}) }

// Close lets everything go.
func (r *Raw) Close() error {
	err := r.session.Destroy()
	if r.in != nil {
		err = errors.Join(err, r.in.Destroy())
	}
	if r.out != nil {
		err = errors.Join(err, r.out.Destroy())
	}
	return err
}

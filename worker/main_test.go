package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/upscale"
	"github.com/upscaled-media/upscaled/internal/faulty"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// processVariable has this binary be a worker process, with a decoder that aborts,
// hangs or lags where its value says so.
const (
	processVariable = "UPSCALED_TEST_WORKER"
	aborts          = "with a decoder that aborts"
	hangs           = "with a decoder that hangs"
	lags            = "with a decoder that lags"
)

// decodes is how many pictures such a decoder gives before.
const decodes = 36

// bare is how many descriptors are open before the first test.
var bare int

// loaded has the models of this process.
var loaded library

// TestMain brings up GStreamer and ONNX Runtime. Without them the tests fail: they
// would test nothing.
func TestMain(m *testing.M) {
	if err := loaded.setUp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(processVariable) != "" {
		if err := serveInherited(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// What Go opens once for all waiting is no leak of the first test.
	if near, far, err := wire.Pair(); err != nil || errors.Join(near.Close(), far.Close()) != nil {
		panic(err)
	}
	bare = len(descriptors())
	status := leak.Main(m)
	if drawn != "" {
		_ = os.RemoveAll(filepath.Dir(drawn)) // of the system's temporary folder
	}
	os.Exit(status)
}

// serveInherited is what the process of a worker does.
func serveInherited() error {
	ends, err := Inherited()
	if err != nil {
		return err
	}
	if trouble, ok := map[string]faulty.Trouble{aborts: faulty.Aborts, hangs: faulty.Hangs, lags: faulty.Lags}[os.Getenv(processVariable)]; ok {
		if err := faulty.Decode(trouble, decodes); err != nil {
			return err
		}
	}
	return Serve(context.Background(), ends, config())
}

func config() Config {
	return Config{
		Models: &loaded, Threads: pipeline.Threads{Decode: 1, Upscale: 1, Encode: 1}, Log: slog.New(slog.DiscardHandler),
		Hello: wire.Hello{Version: wire.Version, GStreamer: pipeline.Version(), ONNXRuntime: loaded.rt.Version()},
	}
}

// The models of the tests, beside the embedded one.
const (
	nearest  = "nearest-x2"
	dimmer   = "dimmer-x2" // nearest, and darker by dimming
	identity = "identity-x1"
	panics   = "panics-x2" // the element's request for it panics
)

// dimming is what dimmer makes of light; a network that changes more is taken for none.
const dimming = 0.96

// library has networks whose output is known. It implements Models.
type library struct {
	rt *infer.Runtime

	mu     sync.Mutex
	models map[string]*infer.Model // guarded by mu
}

func (l *library) setUp() (err error) {
	if l.rt, err = infer.Open(); err != nil {
		return err
	}
	pipeline.Init()
	if err := upscale.Register(upscale.Config{Runtime: l.rt, Model: l.model}); err != nil {
		return err
	}
	l.models = map[string]*infer.Model{}
	embedded, err := models.Open(models.Default)
	if err != nil {
		return err
	}
	return errors.Join(
		l.Add(nearest, testonnx.Spec{Scale: 2}.Nearest()), l.Add(dimmer, testonnx.Spec{Scale: 2}.Gain(dimming, 0)),
		l.Add(identity, testonnx.Spec{}.Identity()), l.Add(models.Default, embedded.Data),
	)
}

// model is what the element asks for.
func (l *library) model(name string) (*infer.Model, error) {
	if name == panics {
		panic("the test's own panic")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.models[name]; m != nil {
		return m, nil
	}
	return nil, fail("model_unknown", "there is no model "+name)
}

// Scale implements Models.
func (l *library) Scale(name string) (int, error) {
	if name == panics {
		return 2, nil
	}
	m, err := l.model(name)
	if err != nil {
		return 0, err
	}
	return m.Facts().Scale, nil
}

// Add implements Models.
func (l *library) Add(name string, data []byte) error {
	m, err := infer.LoadModel(l.rt, name, data)
	if err != nil {
		return &pipeline.Error{Code: codeModelInvalid, Sentence: "the model cannot be used", Cause: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.models[name] = m
	return nil
}

package upscale

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/models"
)

// testConfig is what the elements of the tests share unless one says otherwise.
var testConfig Config

// TestMain brings up GStreamer and ONNX Runtime. Without them the tests fail:
// they would test nothing.
func TestMain(m *testing.M) {
	rt, err := infer.Open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	gsttest.Init()
	testConfig = Config{Runtime: rt, Model: (&library{rt: rt}).open, Log: slog.New(slog.DiscardHandler)}
	if err := Register(testConfig); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(leak.Main(m))
}

// configure changes what new elements get, until the end of the test.
func configure(t *testing.T, change func(*Config)) {
	t.Helper()
	cfg := testConfig
	change(&cfg)
	t.Cleanup(func() {
		if err := Register(testConfig); err != nil {
			t.Error(err)
		}
	})
	if err := Register(cfg); err != nil {
		t.Fatal(err)
	}
}

// library opens the models of the tests by name, each once.
type library struct {
	rt     *infer.Runtime
	mu     sync.Mutex
	loaded map[string]*infer.Model // guarded by mu
}

func (l *library) open(name string) (*infer.Model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.loaded[name]; m != nil {
		return m, nil
	}
	data, err := testModel(name)
	if err != nil {
		return nil, err
	}
	m, err := infer.LoadModel(l.rt, name, data)
	if err != nil {
		return nil, err
	}
	if l.loaded == nil {
		l.loaded = map[string]*infer.Model{}
	}
	l.loaded[name] = m
	return m, nil
}

// testModel returns a network whose output is known, or one of package models.
func testModel(name string) ([]byte, error) {
	scale := func(prefix string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(name, prefix))
		return n
	}
	switch {
	case name == "panic":
		panic("the test's own panic")
	case name == "garbage":
		return []byte("this is no network"), nil
	case name == "nan":
		return testonnx.Spec{Scale: 2}.NaN(), nil
	case name == "identity":
		return testonnx.Spec{}.Identity(), nil
	case name == "rgb-identity":
		return testonnx.Spec{Channels: 3}.Identity(), nil
	case name == "rgb-nearest":
		return testonnx.Spec{Channels: 3, Scale: 2}.Nearest(), nil
	case name == "dimmer": // nearest, 4 % darker
		return testonnx.Spec{Scale: 2}.Gain(0.96, 0), nil
	case strings.HasPrefix(name, "nearest-x"):
		return testonnx.Spec{Scale: scale("nearest-x")}.Nearest(), nil
	case strings.HasPrefix(name, "conv-x"):
		return testonnx.Spec{Scale: scale("conv-x")}.Conv(convWeights(scale("conv-x"))), nil
	default:
		m, err := models.Open(name)
		return m.Data, err
	}
}

package pipeline

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/upscale"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/models"
)

// TestMain brings up GStreamer and ONNX Runtime. Without them the tests fail:
// they would test nothing.
func TestMain(m *testing.M) {
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(leak.Main(m))
}

func setUp() error {
	rt, err := infer.Open()
	if err != nil {
		return err
	}
	Init()
	return upscale.Register(upscale.Config{
		Runtime: rt,
		Log:     slog.New(slog.DiscardHandler),
		Model: func(name string) (*infer.Model, error) {
			data, err := testModel(name)
			if err != nil {
				return nil, err
			}
			return infer.LoadModel(rt, name, data)
		},
	})
}

// testModel returns a network whose output is known, or the embedded one.
func testModel(name string) ([]byte, error) {
	switch name {
	case "nearest-x2":
		return testonnx.Spec{Scale: 2}.Nearest(), nil
	case "identity":
		return testonnx.Spec{}.Identity(), nil
	case "not-onnx":
		return []byte("no network"), nil
	case "small-only": // loads, and fails on the frames that it gets
		return testonnx.Spec{Scale: 2, Width: 64, Height: 64}.NaN(), nil
	default:
		m, err := models.Open(name)
		return m.Data, err
	}
}

package infer

import (
	"fmt"
	"os"
	"testing"
)

// runtimeForTest is ONNX Runtime. Without it the tests fail: they test nothing.
var runtimeForTest *Runtime

func TestMain(m *testing.M) {
	rt, err := Open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runtimeForTest = rt
	os.Exit(m.Run())
}

package infer

import (
	"errors"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testonnx"
)

func TestRaw(t *testing.T) {
	data := testonnx.Spec{Scale: 2, Multiple: 4}.Nearest()
	r, err := NewRaw(load(t, data), data, 33, 21, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	in, out := r.in.GetData(), r.out.GetData()
	if len(in) != 36*24 || len(out) != 4*len(in) {
		t.Fatalf("%d values in and %d out", len(in), len(out))
	}
	for i, v := range out {
		if want := in[i/72/2*36+i%72/2]; v != want {
			t.Fatalf("value %d is %v, want %v", i, v, want)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRawRefusesOtherNetworks(t *testing.T) {
	for name, spec := range map[string]testonnx.Spec{
		"RGB":        {Channels: 3},
		"half":       {Type: testonnx.Float16},
		"fixed size": {Width: 64, Height: 64},
	} {
		data := spec.Identity()
		if _, err := NewRaw(load(t, data), data, 64, 64, 1); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

package pipeline

import (
	"errors"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer"
)

// TestCostsAreOfTheProvider measures the machine with what is asked for, or not at all.
func TestCostsAreOfTheProvider(t *testing.T) {
	spec := PlaySpec{Model: "nearest-x2", Provider: infer.ProviderCPU, Scale: 2, Strength: 1, Threads: ShareCores(2), Quality: -1, Burn: -1}
	c, err := MeasureCosts(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if c.Provider != infer.ProviderCPU || c.GPU != 0 || c.Decode <= 0 || c.Encode <= 0 {
		t.Errorf("got %+v", c)
	}
	spec.Provider = infer.ProviderOpenVINO
	if _, err := MeasureCosts(t.Context(), spec); !errors.Is(err, infer.ErrProvider) {
		t.Errorf("a provider that no tested library has: %v", err)
	}
}

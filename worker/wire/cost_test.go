package wire

import (
	"math"
	"testing"
)

// TestPredict reckons by hand what films cost.
func TestPredict(t *testing.T) {
	costs := Costs{Decode: 10, Upscale: 100, Encode: 8, GPU: 2}
	for name, c := range map[string]struct {
		video VideoInfo
		want  Cost
	}{
		"25 fps, twice as large": {
			VideoInfo{Rate: [2]int{25, 1}, SourceSize: [2]int{1000, 1000}, Size: [2]int{2000, 2000}},
			Cost{Decode: 250, Upscale: 2500, Encode: 800, CoreMS: 3550, GPUMS: 50},
		},
		"half as many pixels, made smaller": {
			VideoInfo{Rate: [2]int{25, 1}, SourceSize: [2]int{1000, 500}, Size: [2]int{1000, 500}},
			Cost{Decode: 125, Upscale: 1250, Encode: 100, CoreMS: 1475, GPUMS: 25},
		},
		"a varying rate": {
			VideoInfo{Rate: [2]int{0, 1}, SourceSize: [2]int{1000, 1000}, Size: [2]int{1000, 1000}},
			Cost{Decode: 300, Upscale: 3000, Encode: 240, CoreMS: 3540, GPUMS: 60},
		},
	} {
		got := costs.Predict(c.video)
		for _, pair := range [][2]float64{
			{got.Decode, c.want.Decode}, {got.Upscale, c.want.Upscale}, {got.Encode, c.want.Encode}, {got.CoreMS, c.want.CoreMS}, {got.GPUMS, c.want.GPUMS},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-6 {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
				break
			}
		}
	}
}

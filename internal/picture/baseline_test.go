package picture

import (
	"image"
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestBaseline proves the metrics and the kernels against the known rows of
// two research sets: 2×, PSNR of Studio luma, border of 2. The rows come out
// when R, G and B are scaled with Cut edges and stored in 8 bits after each
// pass, and luma is taken of the result and of the original without rounding.
func TestBaseline(t *testing.T) {
	images := filepath.Join("..", "..", "..", "shared", "images")
	if _, err := os.Stat(images); err != nil {
		t.Skipf("the research sets are not beside the repository: %v", err)
	}
	for _, want := range []struct {
		set              string
		bicubic, lanczos float64
	}{
		{"Set5", 33.67, 34.31},
		{"Set14", 30.33, 30.78},
	} {
		t.Run(want.set, func(t *testing.T) {
			t.Parallel()
			originals, err := filepath.Glob(filepath.Join(images, want.set, "*_SRF_2_HR.png"))
			if err != nil || len(originals) == 0 {
				t.Fatalf("no images: %v", err)
			}
			var bicubic, lanczos float64
			for _, path := range originals {
				hr := RGB(decode(t, path))
				lr := RGB(decode(t, strings.Replace(path, "_HR", "_LR", 1)))
				bicubic += scored(t, hr, lr, Bicubic()) / float64(len(originals))
				lanczos += scored(t, hr, lr, Lanczos()) / float64(len(originals))
			}
			t.Logf("bicubic %.4f, Lanczos %.4f", bicubic, lanczos)
			if math.Abs(bicubic-want.bicubic) > 0.0051 || math.Abs(lanczos-want.lanczos) > 0.0051 {
				t.Errorf("bicubic %.4f, Lanczos %.4f; want %.2f and %.2f", bicubic, lanczos, want.bicubic, want.lanczos)
			}
		})
	}
}

func scored(t *testing.T, hr, lr [3]Plane, k Kernel) float64 {
	t.Helper()
	for c := range lr {
		s, err := NewScaler(
			Axis{In: lr[c].Width, Out: hr[c].Width, Edge: Cut},
			Axis{In: lr[c].Height, Out: hr[c].Height, Edge: Cut}, k)
		if err != nil {
			t.Fatal(err)
		}
		if lr[c], err = s.ScaleStored(lr[c], 255); err != nil {
			t.Fatal(err)
		}
	}
	db, err := PSNR(Studio(lr), Studio(hr), 255, 2)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

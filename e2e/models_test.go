//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/models"
)

// The models of modelFolder. They cost next to nothing, and what they make is known.
const (
	doubling = "test-nearest-x2" // every pixel four times
	tripling = "test-nearest-x3" // every pixel nine times
	blurring = "test-blur-x2"    // the mean of nine pixels, four times
)

// modelFolder makes a folder of models.
func modelFolder(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	blur := slices.Repeat([]float32{1.0 / 9}, 4*9)
	two, three := testonnx.Spec{Scale: 2}, testonnx.Spec{Scale: 3}
	for id, model := range map[string]struct {
		scale int
		data  []byte
	}{
		doubling: {2, two.Nearest()}, tripling: {3, three.Nearest()}, blurring: {2, two.Conv(blur, make([]float32, 4))},
	} {
		sum := sha256.Sum256(model.data)
		text, err := json.Marshal(models.Manifest{
			ID: id, Title: id, Architecture: "repeats pixels", Scale: model.scale, Kind: models.Luma,
			Input: models.Input{Layout: "NCHW", Type: "float32", White: 1}, Size: models.Size{Multiple: 1},
			Content: models.Any, Speed: models.Fast, Licence: "Apache-2.0", Source: "internal/testonnx",
			SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(model.data)),
		})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(folder, id+".json"), text, 0o600))
		must(t, os.WriteFile(filepath.Join(folder, id+".onnx"), model.data, 0o600))
	}
	return folder
}

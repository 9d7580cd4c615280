package soak

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/upscaled-media/upscaled/internal/testonnx"
	shipped "github.com/upscaled-media/upscaled/models"
)

// models are those that players change between: of the default's scale, and of
// another one.
type models struct{ equal, others []string }

func (m models) same(r *rand.Rand) *string  { return &m.equal[r.IntN(len(m.equal))] }
func (m models) other(r *rand.Rand) *string { return &m.others[r.IntN(len(m.others))] }

// writeModels writes networks that repeat pixels into a folder of models, beside
// which the embedded one is there.
func writeModels(folder string) (models, error) {
	all := models{equal: []string{shipped.Default}}
	for scale, to := range map[int]*[]string{2: &all.equal, 1: &all.others} {
		id := fmt.Sprintf("repeat-x%d", scale)
		data := testonnx.Spec{Scale: scale}.Nearest()
		sum := sha256.Sum256(data)
		manifest, err := json.Marshal(shipped.Manifest{
			ID: id, Title: "Repeated pixels", Architecture: "nearest neighbour", Scale: scale, Kind: shipped.Luma,
			Input: shipped.Input{Layout: "NCHW", Type: "float32", White: 1}, Size: shipped.Size{Multiple: 1},
			Content: shipped.Any, Speed: shipped.Fast, Licence: "Apache-2.0", Source: "made by this test",
			URL: "https://models.example/" + id + ".onnx", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data)),
		})
		if err != nil {
			return all, err
		}
		for name, content := range map[string][]byte{id + ".json": manifest, id + ".onnx": data} {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
				return all, err
			}
		}
		*to = append(*to, id)
	}
	return all, nil
}

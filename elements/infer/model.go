package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// Model is a network and what is known of it because it was run. It is
// immutable; Upscalers share it.
type Model struct {
	name   string
	sha256 string
	graph  *graph.Model
	facts  graph.Facts
	reach  int // rows of the input around a pixel that its result depends on; negative when that is too far to tell
}

// LoadModel reads an ONNX file's data, finds out its scale, channels, range and
// size constraints, and proves them by running it on small pictures on the
// CPU. Name is for messages. The data is not kept by reference and the file is
// never changed. The error is a *ModelError, or wraps ErrRuntime.
func LoadModel(rt *Runtime, name string, data []byte) (*Model, error) {
	if rt == nil {
		return nil, fmt.Errorf("%w: it has not been opened", ErrRuntime)
	}
	parsed, err := graph.Parse(data)
	switch {
	case errors.Is(err, graph.ErrNotONNX):
		return nil, &ModelError{Model: name, Reason: ErrModelFormat, Detail: err}
	case err != nil:
		return nil, &ModelError{Model: name, Reason: ErrModelUnsupported, Detail: err}
	}
	signature, err := parsed.Signature()
	if err != nil {
		return nil, &ModelError{Model: name, Reason: ErrModelSignature, Detail: err}
	}
	facts, reach, err := probe(name, data, signature)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &Model{name: name, sha256: hex.EncodeToString(sum[:]), graph: parsed, facts: facts, reach: reach}, nil
}

// Name returns the name that the model was loaded under.
func (m *Model) Name() string { return m.name }

// SHA256 returns the hash of the model's file in hexadecimal.
func (m *Model) SHA256() string { return m.sha256 }

// Facts returns what running the model proved.
func (m *Model) Facts() graph.Facts { return m.facts }

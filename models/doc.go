// Package models owns what is known of super-resolution models: the manifest
// that describes one, the models that are embedded in the binary, and opening
// one by its id or from a file. It neither runs nor parses ONNX (that is
// elements/infer), is pure Go, starts no goroutine and holds no state.
//
//	id ───► embedded manifest + data ─► size and sha256 checked ─┐
//	path ─► regular file, size capped ───────────────────────────┴─► Model
//
// models/train says how the embedded models were made; models/score measures
// how good a model is.
package models

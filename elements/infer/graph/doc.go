// Package graph reads ONNX models and wraps them so that every conversion
// between the planes of a frame and the network lies inside the ONNX graph:
// what goes in and comes out are the 8- or 16-bit samples as they lie in
// memory. It is pure Go, runs nothing, starts no goroutine, and what it
// returns does not change; all of it may be used by several goroutines.
//
//	Parse ─► Model ─► Signature        what the file says of itself
//	           │          │
//	           │   (the caller runs it) ─► Facts
//	           └─► Wrap(Model, Facts, Plan) ─► Wrapped
//
// A wrapped graph, here of a luma network at 2x on I420:
//
//	Y ── Cast, Mul ── network ── QuantizeLinear ── shuffle ──────────► Y.out
//	U ┐
//	  ├─ Cast, Pad ── Conv (bicubic) ── QuantizeLinear ── shuffle ─┬─► U.out
//	V ┘                                                            └─► V.out
//
// An RGB network on 4:2:0 has chroma enlarged and the colour matrix before it,
// and the way back after it. All sizes in a wrapped graph are fixed. Why each
// conversion is written as it is, with figures, is in
// docs/decisions/0005-conversions-in-the-graph.md.
package graph

// Package onnxpb holds the protocol buffer messages of the ONNX format (IR
// version 13 and before) and a few constructors for them.
//
// onnx.proto is the ONNX project's own file, release 1.21.0, unchanged
// (Apache-2.0); onnx.pb.go is generated from it and never edited. Why it is
// generated here is in docs/decisions/0004-onnx-protobuf.md.
package onnxpb

//go:generate protoc -I. --go_out=. --go_opt=paths=source_relative --go_opt=Monnx.proto=github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb onnx.proto

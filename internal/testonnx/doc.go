// Package testonnx builds tiny ONNX models for tests: networks whose output is
// known without running them, networks that misbehave, and files that are no
// image network at all. Nothing of it is meant for a program's own path.
//
//	Spec{}.Identity()                        luma, 1x, float32, 0..1, any size
//	Spec{Scale: 2}.Nearest()                 luma, every pixel four times
//	Spec{Channels: 3, Scale: 2}.Conv(w, b)   RGB, a 3x3 convolution with given weights
//	Spec{}.NaN()                             gives NaN for every pixel
//	Wrong()                                  files that no image network is
package testonnx

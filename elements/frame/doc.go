// Package frame describes raw video frames as they lie in memory: pixel
// formats, planes, strides and colour metadata. It is the vocabulary shared by
// the element (elements/upscale), the inference (elements/infer) and the
// pipeline. It is pure Go, starts no goroutine and holds no state.
//
//	Layout   format, size and colour of a stream     (negotiated once)
//	Frame    a Layout and the memory of one picture  (per buffer)
package frame

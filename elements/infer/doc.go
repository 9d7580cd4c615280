// Package infer runs ONNX super-resolution networks on video frames. It is the
// only importer of the ONNX Runtime binding.
//
//	Open ──► Runtime            the shared library, once per process
//	LoadModel ──► Model         a file whose facts are proven by running it
//	New ──► Upscaler            one model, one provider, one layout
//	Upscaler.Run(in, out)       one frame
//
// The path of a frame: its planes are wrapped as tensors where they lie (or
// copied first, when rows have gaps), the graph that elements/infer/graph put
// around the network turns samples into values, runs the network and turns
// values into samples, and ONNX Runtime writes them to the planes of the
// output. On a CPU with several cores each core takes a band of the frame's
// rows through the whole graph. A network of one fixed size, or a tile size asked
// for, runs over overlapping tiles whose seams are blended.
//
//	Frame ─► planes ─► [ samples → values → network → values → samples ] ─► planes ─► Frame
//	            ├────► bands ─► the same, at once ──► own rows ──────────────┤
//	            └────► tiles ─► the same, in turn ──► blend ─────────────────┘
//
// A provider is where a network runs: TensorRT, CUDA, OpenVINO, WebGPU or the
// CPU. Each is accepted only after a real inference on it gave the numbers of
// the CPU; why one was refused is kept (Upscaler.Notes).
//
// Threads: ONNX Runtime is one per process and is never unloaded. Runtime and
// Model are immutable and safe for use at once. An Upscaler serves one caller
// at a time and owns the threads of its sessions until Close. Run starts a
// goroutine for each further band and returns when they have ended; nothing
// else starts one.
package infer

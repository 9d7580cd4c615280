// Package upscale is the GStreamer element `upscale`: a video filter that runs
// an ONNX super-resolution model on every frame.
//
//	GStreamer ──► element.c ──► export.go ──► Element ──► infer.Upscaler
//	              GObject       cgo seam,     settings,   ONNX Runtime
//	              class, caps   recover       swap, stats
//
// element.c holds what only C can do: the class, its properties and the caps.
// Each of its virtual methods is one call into export.go, which never lets a
// panic out, and on into an [Element], the Go half of one instance.
//
// Threads: SetLayout and Frame come on the streaming thread, Open and Close on
// whatever thread changes the state, settings on any thread.
package upscale

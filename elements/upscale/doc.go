// Package upscale is the GStreamer element `upscale`: a video filter that runs
// an ONNX super-resolution model on every frame. docs/elements.md describes it
// for its users.
//
//	GStreamer ──► element.c ──► export.go ──► Element ──► infer.Upscaler
//	              class, state  cgo seam,     settings,   ONNX Runtime
//	              caps.c        recover       swap, stats
//	              properties.c  properties.go
//
// The C files hold what only C can do: the class, its caps and its properties.
// Each of their calls goes to one exported function, which never lets a panic
// out, and on into an [Element], the Go half of one instance.
//
//	NULL ── open ──► READY ── start ──► PAUSED, PLAYING
//	       (model)          (scale fixed)   negotiate: an upscaler for the caps
//	                                        upscale: one frame
//	NULL ◄── close ── READY ◄── stop ──┘
//
// Threads: negotiate and upscale come on the streaming thread; open, start,
// stop and close on whatever thread changes the state; settings and figures on
// any thread. GStreamer starts no frame before start or after stop.
package upscale

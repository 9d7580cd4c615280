// Package leak fails tests that leave something behind: GStreamer objects, goroutines, or memory that
// grows with each cycle of work ([Goroutines], [Flat]).
//
// GStreamer's leaks tracer (GST_TRACERS=leaks) knows every object that is alive, but tells it only in
// its own log and at gst_deinit, neither of which a Go test looks at. [Main] asks the tracer itself.
package leak

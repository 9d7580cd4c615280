// Package gsttest drives GStreamer elements in tests: one element between two
// pads of the test ([Rig], over GStreamer's own GstHarness), or a pipeline as
// gst-launch writes it ([Pipeline]). What goes in and comes out are frames and
// times in Go memory; nothing of GStreamer is kept between calls, so that a
// leak that is found is the element's.
//
// Only tests import it. An element or a rig is used by several goroutines only
// where GStreamer allows it: properties at any time, Push on one goroutine.
package gsttest

// Package pipeline makes an upscaled file of a media file with GStreamer.
//
//	Probe ─► Media ─┐
//	                ├─► NewPlan ─► Plan{Graph, Kept, Lost} ─► Run ─► Result
//	         Spec ──┘   (pure)
//
//	filesrc ► parsebin ┬► decode ► fix-ups ► upscale ► scale ► encode ─┬► mux ► filesink
//	                   ├► audio: as it is, or decoded and encoded ─────┤
//	                   └► text and bitmap subtitles: as they are ──────┘
//
// Probe looks at a file and decodes its first picture. NewPlan decides, without
// touching GStreamer, which elements are linked in what order: its result is
// plain data, printed and compared in tests. Run builds a Graph, runs it to its
// end and takes it down again.
//
// Sessions play films run by run (Play), and live streams as they come (Live), which
// are drawn at those types.
//
// With elements/upscale this is the only importer of go-gst. Threads: Probe and
// Run block; each owns its pipeline from NULL back to NULL. Callbacks on
// GStreamer's threads only link pads; what happens per buffer is in glue.c.
package pipeline

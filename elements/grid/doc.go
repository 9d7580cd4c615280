// Package grid has two GStreamer elements that put pictures and sound on the time
// line of a film that is delivered in segments.
//
//	pictures with the source's times ─► segmentgrid ─► the film's time, each segment begun by a key frame
//	samples with the source's times  ─► samplegrid  ─► the film's time, without a gap
//
// Segment k begins at exactly k × Segment. There the element puts a picture and
// asks the encoder for a key frame, whatever the source has: a picture whose time
// is off by less than a quarter of a frame is moved onto the boundary, and where
// there is none the one before is shown once more. Likewise it holds the last
// picture to the end of the film, and cuts off what comes after it. So every
// segment begins where a playlist has promised it, in whichever order segments
// are made.
//
// samplegrid lets exactly the samples from a first one to an end come out. Where
// the source has none it puts silence, and what it has twice it takes once.
//
// Threads: they work on the streaming thread. Stats may be read on any.
package grid

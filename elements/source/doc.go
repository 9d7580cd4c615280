// Package source is a GStreamer element, readersrc, that reads from Go: so a
// pipeline reads a film from a descriptor that it was given, or from a peer that
// answers requests for ranges, and opens nothing itself.
//
//	Reader ◄── source.go ◄── goSourceFill ◄── source.c: a GstBaseSrc
//
// It is seekable and of a known size, so demuxers pull from it as from filesrc. Of a
// Reader whose size is Unknown, which a Stream is, it pushes what comes.
//
// Threads: Reader is called on the pipeline's streaming threads, one call at a
// time for an element. A flush or a change of state ends the call's context.
package source

// Package matroska writes and reads Matroska (RFC 9559) that is read while it is
// made: a Segment and Clusters of unknown size, no index, and nothing that would have
// to be gone back to.
//
//	[]Track ─► NewWriter, NewFilm ─► EBML header, Segment, Info, Tracks
//	packets ─► Write, WriteText ─► Cluster ─► SimpleBlock, BlockGroup
//
//	a stream ─► NewReader ─► Head, Block, Block, … ─► Appender ─► a file that has a head
//
// A Writer carries live streams to workers, and films to players as stream.mkv. A
// block goes out in one Write as soon as it is there, with the head of a new
// Cluster in front of it where one begins, so that the stream has no latency of its
// own and a reader that joins a broken pipe finds whole elements up to the break.
//
// Times are written in steps of 100 µs, not in the usual milliseconds: frames of
// sound then lie where they belong to within two samples, and what reads the
// stream back can tell a constant rate from a varying one.
//
// A Reader takes what another machine sends: it is strict, passes over nothing that it
// does not know, and keeps no more than the block that it returns.
//
// # Threads
//
// A Writer, a Reader and an Appender each belong to one goroutine at a
// time. The package starts none.
package matroska

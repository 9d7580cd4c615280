// Package fmp4 turns the packets of a worker into fragmented MP4 (ISO/IEC
// 14496-12), as HLS plays it: one track in a file, an init segment for each
// generation, and one fragment for each segment.
//
//	wire.Init ─► VideoInit, AudioInit   ftyp moov        video/0/init.mp4
//	[]wire.Packet ─► Fragment           styp moof mdat   video/0/17.m4s
//	avcC, AudioSpecificConfig ─► VideoCodec, AudioCodec  CODECS of the master playlist
//
// What a worker sends is not believed: codec data is read and compared with what
// the worker says of it before anything of it is written, and packets must be in
// order and where the segment begins. A film can bring about errors, which wrap
// ErrMedia, but no panic.
//
// Fragments have no sidx box: the playlist is the index, and a segment is one
// fragment, of which a sidx would say what its moof says.
//
// # Threads
//
// Everything here is a function from data to bytes. Anything may be called from
// any goroutine.
package fmp4

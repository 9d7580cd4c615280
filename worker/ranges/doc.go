// Package ranges lets a worker read a film that is no file: it asks for ranges
// of bytes on a socket, and the server answers from where the film lies.
//
//	demuxer ─► Client.ReadAt ── request ──► Serve ─► Film (server/source)
//	                         ◄── reply ────
//
// # Format, version 1
//
// Numbers are big endian. A request has 20 bytes:
//
//	 0  uint8   version
//	 1  3 × 0
//	 4  uint32  id, chosen by the client, not that of a request still unanswered
//	 8  int64   offset in bytes, 0 or more
//	16  uint32  length in bytes, 1 to MaxLength
//
// A reply has a head of 12 bytes, and a body:
//
//	0  uint8   version
//	1  uint8   status: 0 data, 1 error
//	2  uint16  zero
//	4  uint32  id of the request
//	8  uint32  length of the body in bytes
//
// A body of data has exactly the length that was asked for: a client knows the
// film's size and asks for nothing beyond its end. A body of an error is the
// JSON of a wire.Error, decoded strictly, of at most maxError bytes; it ends
// that request and no other. Replies come in any order.
//
// A client has at most MaxInFlight requests unanswered. Whatever breaks the
// format, on either end, ends the connection with ErrProtocol: a version, a zero
// that is none, a length beyond its cap, a range outside the film, a request too
// many, an id that nobody asked with.
//
// # Threads
//
// Serve and Client.Run own a connection each, and every goroutine on it. Reads
// may be asked of a Client, and are asked of a Film, by many goroutines at once.
// A server's end holds at most MaxInFlight + 1 times MaxLength bytes, a client's
// once MaxLength.
package ranges

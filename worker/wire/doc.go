// Package wire is what the server and a worker say to each other.
//
//	server ── Hello Load Open Play Limit Halt Set KeyFrame Prepare Transcode Relay Measure Stop ──► worker
//	       ◄── Hello Reply Init Packet Cue Progress Written Ended Stats Warning ──
//
// # Framing, version 2
//
// Both ends write frames to a stream socket. A frame is a head of 8 bytes and a
// payload:
//
//	0  uint32  length of the payload in bytes, big endian, at most MaxPayload, and less for what workers say but packets
//	4  uint8   kind
//	5  uint8   zero
//	6  uint16  zero
//
// The payload of a Packet is a head of 32 bytes, big endian, and the access unit:
//
//	 0  uint32  run
//	 4  uint8   flags: 1 key frame
//	 5  3 × 0
//	 8  int64   presentation time in ticks of the stream
//	16  int64   decoding time in ticks
//	24  int64   duration in ticks
//
// Every other payload is JSON, decoded strictly: an unknown field, an unknown
// kind, a length beyond the cap or a head whose zeros are none ends the
// connection with ErrProtocol. Hello alone may have unknown fields, so that other
// versions are told from noise.
//
// The first frame each way is Hello with the version; other versions end the
// connection. Load, Open, Play, Set, Measure, KeyFrame, Prepare, Transcode and Relay are answered by a Reply with
// their ID, in any order; Limit, Halt and Stop are not answered. A run that was
// halted sends Ended as its last frame, like one that came to its end.
//
// # Descriptors
//
// A worker opens no path. It inherits the socket as descriptor 3 and a second,
// sequential packet socket as descriptor 4. Each Open and each Prepare is preceded
// there by one message of one byte, 'f', 'r' or 's', with one descriptor: a file that
// is read with pread, a socket on which worker/ranges asks for ranges, or, not for
// Open, a pipe or socket that is read from begin to end. Each Relay is preceded by an 's',
// each Load by one with 'm' and the file of a model, each Transcode by one with 'o' and
// what it writes to. They come in the order of the frames.
// SendSource and ReceiveSource are the two ends of that.
//
// # Threads
//
// A Conn may be written to by any goroutine, and read by one.
package wire

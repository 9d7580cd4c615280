// Package workertest is a worker without GStreamer: it speaks worker/wire like
// `upscaled worker` and makes its packets by arithmetic, so that the server can be
// tested whole, and its faults be caused at will, by pure Go.
//
//	TestMain ─► Main ─┐                    source descriptor ─► Film (JSON)
//	                  ├─► Serve ─► Open ──────────────────────────┘
//	Pair ─────────────┘      └─► Play ─► run ─► Init Packet … Ended
//
// Main makes a test binary a worker: the pool starts it again with Env in its
// environment. Serve is the same in the test's own process.
//
// The source that Open comes with holds no media but the JSON of a Film, which
// says what is found in it and what goes wrong; so a test of the server writes
// films as text files. A source that is no JSON is refused as not_media.
//
// Prepare and Transcode take the same film, as a file, by ranges, through a pipe, where
// it is the first line, or in the index of an MP4 file. What they write is no media: a line
// that says what was asked for, and a block of bytes for each picture, which a test
// knows beforehand (Transcoded). With Film.Feed each picture is made from bytes that
// follow the film, so that what is written tells whether all of them came.
//
// A Relay's source is a live stream of Matroska, of which tracks and times are read: each picture that comes makes
// one, which has the number of its coming.
//
// What comes of Play and Relay is real: H.264 that any decoder shows, with the frame's number
// drawn as internal/testmedia reads it, on a ground whose luma Ground gives from
// the strength; AAC frames of silence that carry their number; cues that say
// theirs.
//
// # Threads
//
// Serve reads on the goroutine that calls it. Each run makes packets on one of its
// own, and one sends Stats. All have ended when Serve returns.
package workertest

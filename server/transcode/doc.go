// Package transcode is the remote transcoding endpoint: a film goes in as the body of a
// request, and what is made of it comes out as the answer, while the body still comes.
//
//	body ─► upload ─┬───────────────────────► pipe ─► worker ─► pipe ─► answer
//	                └─► spool (MP4 whose ───► file ─┘
//	source= ─► server/source  index is last) ───────┘
//
// # Back-pressure
//
// Nothing of a film is kept here but a buffer each way. A reader that is slow fills
// the worker's output pipe, which stops its pipeline, which stops reading its input
// pipe, which stops the client's sending: the kernel does it all. A body that is kept
// in a file, since it cannot be read as a stream, is bounded by Options.Spool.
//
// # Errors
//
// Before the first byte of the result an error is a problem of RFC 9457. After it the
// message is never ended: HTTP/2 resets the stream; HTTP/1.1 closes the connection in
// the middle of the message, behind a trailer that tells code and sentence where the
// client takes trailers. A body that breaks off fails the transcode, whatever the
// worker makes of its end. The session, its events and the log have it, too.
//
// # Admission
//
// A transcode is a session. Where there is no room it waits in a line, first come,
// first served, for a place, and again for the machine's time once its cost is known.
// Playbacks do not wait in that line.
//
// # Threads
//
// ServeHTTP owns every goroutine of a request: one that copies the body, one that
// watches the session and the client, one that tells of the progress. It copies the
// result itself, and all have ended when it returns. The worker's messages come on a
// goroutine of the pool, which never waits.
package transcode

// Package playout plays a session out as one stream: a film from a time of it on, to
// its end, as fast as somebody takes it, and a live stream from now on, as it is made.
//
//	Session.Part ─────► Reader.Next ──┬─► Stream ─► MP4, MPEG-TS, Matroska ─► stream.mp4, .ts, .mkv
//	 segments as         samples in   │
//	 HLS has them        their order  └─► whoever sends samples
//	live.Subscription ─► Broadcast.Next
//
// A Reader asks for a segment when the one before it is used up, as a player does,
// and waits for what is not made yet. Nothing more is buffered than a segment, so
// that who takes nothing stops the pipeline: it makes what the session reads ahead,
// and then waits. The session ends as it does for a player that asks for nothing.
//
// Where other settings begin a generation of the picture, its samples go on with the
// generation's Init. Times are those of the film throughout, also of a stream that
// begins in its middle.
//
// A Broadcast is a subscription like any other: its stream begins at 0 with a key picture,
// who takes too little is cut to the newest one, and nobody else waits for that.
//
// # Threads
//
// A Reader belongs to one goroutine at a time. While Next waits, it fetches picture
// and sound at once, each on a goroutine that has ended when it returns.
package playout

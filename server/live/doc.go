// Package live has the sessions of live streams: what comes is made as it comes, for everybody who watches.
//
//	Feed ─► pipe ─► worker's Relay ─► broadcast ─┬─► Subscription ─► LL-HLS ─► Session.Fetch
//	                                             └─► Subscription ─► whoever subscribes
//
// # Sessions
//
// Start begins one: a life of server/session, a worker that relays, and a feed that writes to it, which is
// server/ingest's of a source or what a browser sends. It ends as others do, with its feed or its worker, and when
// nobody watches for Options.Idle.
//
// # Who watches
//
// A broadcast waits for nobody. Each subscriber has a queue of at most 4 s and 16 MiB; one that does not take from
// it is cut to the newest key picture, which is counted.
//
// LL-HLS is gohlslib's: parts of at most Options.Part, in segments of about a second, for Options.Window back. What
// players wait for in it they wait for in listing.go, since a wait of the library ends with its player no earlier than
// with the stream; and there its end is told, which the library does not tell, for some seconds after that of the session.
//
// # Threads
//
// Studio.Run owns every goroutine: of each session one that lives it, one that feeds, one that packages, one for
// each playlist, and one that asks for key pictures. All else may be called by any goroutine. Lock order: none of
// this package's locks is held while another is taken, but the packager's writing before those of the library.
package live

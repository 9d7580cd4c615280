// Package session holds what the server makes for its clients, by whichever worker: a
// Life is what every session has, of whatever kind (a name, a place in the ledger, states,
// a cause of its end, figures, events), and the Manager lists, admits and ends them. A
// Session is the kind that is made here: a film that is played, opened by one worker,
// whose segments are made as players ask for them. Sessions of other kinds are run by
// packages of their own, which Begin them and Conclude them.
//
//	Manager.Create ─► ledger (is there room?) ─► Starter (a worker opens the film) ─► Session.run
//
//	Session.Get ── Segment ─► cache ── there ──────────────────────────────► player
//	                            │ missing                                       ▲
//	                            ▼                                               │
//	                          waiter ─► decide ─► producer ── Play, Limit ─► Worker
//	                                    (schedule.go)                           │
//	      cache ◄── segment ◄── run: packets of a segment ◄── handler ◄─────────┘
//
// # Segments and runs
//
// Each rendition (the picture, each track of sound and text) is made by a run of
// its own in the worker, from a segment on. decide says what a rendition's run is
// to do, from nothing but what is waited for, what is there and where the run is:
// wait for it, drive it on, let it rest, or begin another. A segment is whole when
// its last packet has come, and is handed to whoever waits before it is kept.
// How often runs may be replaced is bounded, so that two players of one session
// in different places share it instead of undoing each other's.
//
// # Generations
//
// Settings that change the codec's data (another scale or height) begin a
// generation. A segment keeps the one that it was made in; what is not there will
// be of the newest. A player that holds an older playlist gets the segment with
// its init segment in front.
//
// # Threads
//
// Manager.Run owns all goroutines: for each session one that lives its life, and
// for each rendition one that sends commands to the worker. The worker's messages
// come on a goroutine of its own, which never waits: it takes Life.mu, which
// nobody holds across a command, a disk or another wait. Requests wait on
// channels, for as long as Options.Wait and their client do.
package session

// Package control lets a page or a program steer its sessions over one WebSocket,
// /v1/control: it owns the protocol upscaled.v1, its connections, their limits and
// their ends. docs/control.md has every message; a test replays it.
//
//	auth.Guard ─► Server.ServeHTTP ─► version, room ─► conn.run
//
//	client ─► read ─► parse ─► limits ─► table ─► playback.Desk ─┐
//	client ◄─ write ◄─ outbox ◄──────────────────── reply ◄──────┘
//	                     ▲
//	                     └─ event ◄─ pump ◄─ session.Subscription
//
// # Threads
//
// A connection has a goroutine that reads, one that writes (and nobody else does),
// one that keeps time, one that moves events, and one for each request that is
// being worked on. All of them end with conn.run, which the HTTP server's goroutine
// calls. Server.Run waits for every connection.
//
// Nobody waits for a client: what is for it goes into its outbox, and when that is
// full, the connection ends. Of figures the outbox has the newest alone.
//
// # The end of a connection
//
// Whoever finds a reason gives it to conn.end; the first counts. Requests are
// called off, events that are there are moved, what lies in the outbox is sent
// unless the client is too slow for it, and then the close code.
package control

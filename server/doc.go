// Package server is the daemon: server.go names every part of it in the order in
// which they start.
//
//	New ─► cache ─► sources ─► workers ─► metrics ─► sessions ─► live ─► webrtc ─► control ─► API
//	Run ─► cache ─► workers ─► control ─► live ─► sessions ─► webrtc ─► metrics ─► measure ─► listener    closed in reverse
//
// # The end
//
// When Run's context ends, no session is taken any more and those that there are go
// on for as long as shutdown.drain says, or until hurry is closed. Then they are
// ended, their players and control connections told, and the parts closed. Each
// step is bounded.
//
// # Threads
//
// Run owns one goroutine for each part and ends when all of them have.
package server

// Package soak has players come and go on a real server with real workers, at
// random, and mishaps befall them, and checks all the while that nobody waits
// longer than is promised and at the end that nothing is left.
//
//	Run ─┬─ player … ── create, play, seek, pause, change, hang up ─► end, or leave
//	     ├─ killer ──── SIGKILL to a worker now and then
//	     └─ round ───── everybody leaves ─► Traces: what is left of it all
//
// Two rounds are played. What the server holds after the first, when all its parts
// have worked once, is what it may hold after the second, which is the longer one.
//
// What is random comes of one seed; what the machine makes of it does not.
//
// Run owns a goroutine for each player and one for the killer.
package soak

// Package daemon runs the server as it is shipped, with its workers, and uses it
// from outside as clients do: measurements and long tests stand on it.
//
//	Start ─► upscaled-server ══► upscaled worker …
//	            ▲ HTTP               ▲ proc(5)
//	         Client               Process
//
// Start owns two goroutines, which end with the process: one reads the log, one
// waits. A Client may be used from any goroutine.
package daemon

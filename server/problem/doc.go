// Package problem owns what a client is told when something fails: one table of
// codes with their HTTP status, whose fault each is and whether trying again can
// help, and the answer of RFC 9457 that is made of a row.
//
//	handler's error ─► From ─► Problem ─► Write ─► application/problem+json
//	                     ▲
//	                   table (docs/errors.md is generated from it)
//
// The public sentence is kept apart from the private chain: what Write sends is
// the sentence alone, what Error returns is for the log. The control protocol
// sends the same codes and sentences in its replies and events.
//
// The package is pure, holds no state and starts no goroutine; everything in it
// may be used from any goroutine.
package problem

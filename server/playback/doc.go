// Package playback is what a client may ask of sessions and what it is told of
// them: the documents that the HTTP API and the control protocol both speak, and
// their rules. It knows neither HTTP nor WebSockets.
//
//	JSON ─► Decode ─► Order, Change ─► Desk ─► session.Manager
//	                    rules of tags    │ defaults, presets, LUTs, clamping
//	JSON ◄── Session, Stats ◄────────────┘ snapshots, signed URLs
//	JSON ◄── problem.Problem ◄── Problem ◄── any error of theirs
//
// The rules of numbers and texts stand in the tags of the documents' fields, from
// which the OpenAPI document is made, too; Decode holds JSON to them. Times are
// seconds, as players have them.
//
// The package is pure and starts no goroutine. A Desk may be used from any.
package playback

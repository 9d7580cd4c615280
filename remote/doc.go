// Package remote has another machine's server transcode a film of this one.
//
//	Client.Transcode ─► attempt ─► PUT /v1/transcode: film ─► …… ─► result
//	                      │  └───► GET /v1/sessions/{id}, twice a second: how far it is
//	                      └─ connection lost ─► the result from its begin, once more
//
// The result that was written is whole only where Transcode returns no error. A server
// that fails in the middle of a result breaks the message off; what it has to say of
// that is asked of its session.
//
// # Threads
//
// Transcode blocks, and owns the goroutine that asks for the progress. A Client may be
// used by any goroutine.
package remote

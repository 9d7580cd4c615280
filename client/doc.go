// Package client speaks to a server for the command line: it orders jobs and watches
// them, and has another machine transcode a film of this one.
//
//	upscaled jobs ─► Client.Jobs, … ─► ask ─► /v1/jobs
//	            └──► Client.Watch ─► /v1/control ─► job.state, job.progress ─► its callback
//
//	upscaled transcode --remote
//	  └─► Client.Transcode ─► attempt ─► PUT /v1/transcode: film ─► …… ─► result ─► making.follow ─► file, trail
//	                ▲           │  └───► GET /v1/sessions/{id}, twice a second: how far it is
//	                │           └─ connection lost ─► tries.next ─► making.retreat ─► trail.cut
//	                └── from the cut on: join ◄───────────────────────────┘
//
// What a server refuses, and that none answers, comes back as *Error. jobs.go and watch.go
// have the jobs; transcode.go sends a film and receives its result, making.go has that
// over all attempts, of which tries.go decides how many there are.
//
// # Results
//
// The result that was written is whole only where Transcode returns no error. A server
// that fails in the middle of a result breaks the message off; what it has to say of
// that is asked of its session.
//
// A result of Matroska whose connection broke is taken up where it was: a trail knows its
// last blocks, a cut is where it can end, and a join writes behind that what the server
// makes anew, once that has proved to be the same. docs/decisions/0016-taking-up.md says
// what was measured.
//
// # Threads
//
// A Client may be used by any goroutine. No method starts one that outlives it: Transcode
// blocks, and owns the goroutine that asks for the progress.
package client

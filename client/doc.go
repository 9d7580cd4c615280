// Package client speaks to a server for the command line: requests over HTTP, and
// events over the control socket.
//
//	upscaled jobs ─► Client ─► /v1/jobs
//	                      └──► /v1/control ─► job.state, job.progress ─► Watch's callback
//
// Answers that are problems come back as *problem.Problem. All methods may be called
// by any goroutine; none starts one that outlives it.
package client

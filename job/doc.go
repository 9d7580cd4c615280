// Package job is one offline transcode: a file in, an upscaled file beside it,
// or nothing.
//
//	Request ─► Prepare ─► Job{Plan} ─► Run ─► Result
//	           paths, probe, plan      │
//	                                   └─► hidden temporary file ─► renamed when whole
//
// Nothing is ever left under the output's name that is not whole, and nothing
// is written over without Force. Prepare writes nothing; its Job tells what
// will be kept, changed and lost before Run starts. A Job is used once, by one
// goroutine, which Prepare and Run block.
package job

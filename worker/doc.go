// Package worker is a worker process: one film, played in GStreamer and ONNX
// Runtime for one session of the server.
//
//	Serve ─┬─ read: Open ─► film ─► pipeline.ProbeFilm, MeasureExtent, NewPlayPlan ─► Opened
//	       │        Play ─► run ─► pipeline.Play ─► packets ─► wire.Conn
//	       │        Relay ─► run ─► pipeline.Live ─► Opened, packets of picture and sound ─► wire.Conn
//	       │        Limit, Halt, Set, KeyFrame ─► runs
//	       └─ Stats, once a second
//
// A worker opens no file and no address: its film is a descriptor that the server
// sends (worker/wire), and a model is an id of the binary's own.
//
// Threads: Serve reads on its goroutine and owns all others: one that opens the
// film or measures the machine, one for each run, and one for Stats. Packets are
// written on the streaming threads of their run; the server always reads, and what
// a run may make is bound by its limit.
package worker

// Package worker is a worker process: one film, played or transcoded in GStreamer
// and ONNX Runtime for one session of the server.
//
//	Serve ─┬─ read: Open ─► film ─► pipeline.ProbeFilm, MeasureExtent, NewPlayPlan ─► Opened
//	       │        Play ─► run ─► pipeline.Play ─► packets ─► wire.Conn
//	       │        Relay ─► run ─► pipeline.Live ─► Opened, packets of picture and sound ─► wire.Conn
//	       │        Limit, Halt, Set, KeyFrame ─► runs
//	       │        Prepare ─► job ─► pipeline.ProbeFilm, NewPlan ─► Prepared
//	       │        Transcode ─► pipeline.Runner ─► the output; Written, Ended ─► wire.Conn
//	       └─ Stats, once a second
//
// A worker opens no file and no address: its film and what it is made into are
// descriptors that the server sends (worker/wire), and a model is an id of the
// binary's own or one that was loaded.
//
// Threads: Serve reads on its goroutine and owns all others: one that opens the
// film or measures the machine, one for each run or transcode, and one for Stats. Packets are
// written on the streaming threads of their run; the server always reads, and what
// a run may make is bound by its limit.
package worker

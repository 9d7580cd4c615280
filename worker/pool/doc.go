// Package pool owns the worker processes: it starts them, keeps spares warm,
// watches them, and ends every one before it ends itself.
//
//	Run ─┬─ keep ──── start ─► process ─► Hello ─► spare ──► Take ─► Worker
//	     │                                                             │
//	     └─ starter                    Open Play Set Limit Halt … ─► write ══► worker
//	       (one thread)                        Handler ◄── read, heartbeat ◄══ process
//
// A Worker serves one session and is never used twice: Close ends its process,
// and a new spare takes the place of the one that was taken.
//
// # Supervision
//
// A worker is lost when its process ends, when no Stats come for
// Options.Heartbeat, when it does not take what is sent to it, or when it breaks
// the protocol. It is killed then, with what it has left in its group, reaped,
// and Handler.Gone is told why; its last words on stderr are for the log alone. What
// has a session of its own (setsid(2)) outlives it.
//
// Workers die with the server, also when that is killed: each gets SIGKILL when
// the thread that started it ends (PR_SET_PDEATHSIG of prctl(2)), and sees its
// socket close. That signal is tied to a thread, not to the process, and Go ends
// threads as it likes; so one thread, locked, starts all workers and lives as
// long as they do. It gives them no_new_privs to inherit, too.
//
// # Threads
//
// Run owns every goroutine. A worker has four: one reads and calls its Handler,
// one writes, one waits for the process, one copies stderr to the log. The
// methods of Pool and Worker may be called by any goroutine; of those of Worker
// only Close waits for the Handler, which must not call it.
package pool

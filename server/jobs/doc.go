// Package jobs does offline transcodes: files of films, one after another, whatever
// happens to the server meanwhile.
//
//	Order ─► expand ─► Records ─► store ─► schedule ─► attempt ─► Starter ─► worker
//	         a folder   (bbolt)    ▲       who, when    │            prepares, transcodes
//	         becomes               │                    ▼
//	         many              each state        .ID.part ─► sync ─► whole, stored ─► NAME
//	                                                    │
//	Subscription ◄── hub ◄── what is stored             └─► message ─► webhook
//
// # What survives what
//
// A state is told once it is on the disk. A job that a kill, or a loss of power,
// interrupts is queued again and made from the begin; nothing but a whole file ever
// has the output's name, and nothing that is there is written over. Between the
// moment at which the output is whole and the one at which the job is done lies a
// mark of the file, by which New knows whether it got its name.
//
// # As sessions
//
// Each attempt is a session of kind job, so that it can be seen in /v1/sessions and
// ends with the others. It begins where there is room beside all; from then on others
// are admitted as if it were not there, and it is paused while they have what it had.
// Where jobs yield, they book nothing, and are paused while anybody watches; otherwise
// they book a share of the machine.
//
// # Failures
//
// What may pass by itself, as the table of problems has it, queues a job again, for a
// time that grows and a few times only. Jobs of a root that is not there wait for it.
// All else fails them for good.
//
// # Threads
//
// Run owns all goroutines: the scheduler, one for each attempt, the one that watches
// the sessions, and those that call webhooks. All else may be called by any.
package jobs

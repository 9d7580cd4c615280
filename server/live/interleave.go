package live

import (
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// patience is how far one of picture and sound may be ahead of the other before it is no longer held back for it. Sources
// send sound in lumps of a third of a second, and some stop sending it.
const patience = 700 * time.Millisecond

// most is how many packets are held back, and backlogBytes how many bytes of them, whatever their times are.
const most = 2000

// timed is a packet at its time in the stream.
type timed struct {
	at     time.Duration
	packet wire.Packet
}

// interleave puts packets of several runs in the order of their times, as far as they do not wait longer than patience
// and most for each other: a part of LL-HLS ends with its picture, and has the sound that came until then.
type interleave struct {
	order  []uint32
	queues map[uint32][]timed
	held   int // packets
	bytes  int // of those
}

func newInterleave(runs ...uint32) *interleave {
	return &interleave{order: runs, queues: map[uint32][]timed{}}
}

// put takes a packet, and calls ready for each whose turn it is.
func (i *interleave) put(t timed, ready func(timed)) {
	i.queues[t.packet.Run] = append(i.queues[t.packet.Run], t)
	i.held, i.bytes = i.held+1, i.bytes+len(t.packet.Data)
	for {
		run, all := i.first()
		waits := i.queues[run]
		full := i.held > most || i.bytes > backlogBytes
		if len(waits) == 0 || !all && !full && waits[len(waits)-1].at-waits[0].at < patience {
			return
		}
		ready(i.next(run))
	}
}

// next takes the first packet of a run.
func (i *interleave) next(run uint32) timed {
	t := i.queues[run][0]
	i.queues[run] = i.queues[run][1:]
	i.held, i.bytes = i.held-1, i.bytes-len(t.packet.Data)
	return t
}

// flush calls ready for all that waits, when no more comes.
func (i *interleave) flush(ready func(timed)) {
	for {
		run, _ := i.first()
		if len(i.queues[run]) == 0 {
			return
		}
		ready(i.next(run))
	}
}

// first returns the run whose packet is next by its time, and whether every run has one.
func (i *interleave) first() (run uint32, all bool) {
	all = true
	var at time.Duration
	for _, r := range i.order {
		waits := i.queues[r]
		if len(waits) == 0 {
			all = false
			continue
		}
		if run == 0 || waits[0].at < at {
			run, at = r, waits[0].at
		}
	}
	return run, all
}

package webrtc

import (
	"time"

	"github.com/pion/rtp"
)

const (
	// window is how many packets wait for one before them. A key frame of a large picture has some 300.
	window = 1024
	// overdue is how long a packet is waited for. It was asked for again after 20 ms, and is worth no more delay.
	overdue = 120 * time.Millisecond
	// maxPicture bounds a picture in bytes of its packets, since depacketizers keep fragments to themselves until the last.
	maxPicture = 8 << 20
)

// picture is a coded picture as a browser sent it.
type picture struct {
	stamp   uint32 // of RTP
	key     bool   // with all that a decoder needs to begin
	data    []byte // H.264 in AVC form, or VP8
	arrived time.Time
}

// assembler puts pictures together of packets. Unlike pion's samplebuilder it hands a picture out with its last packet
// and not with the next one's first: that is a picture's time less of delay. It belongs to one goroutine.
//
// Behind a gap nothing is handed out before the next key frame, since decoders draw garbage on what is missing.
type assembler struct {
	format format
	queue  [window]*rtp.Packet // by sequence number; those at and behind next
	next   uint16              // sequence number of the packet that is put together next
	newest uint16              // that has come
	begun  bool
	since  time.Time // since when next is missed, zero: it is not

	depacketizer rtp.Depacketizer
	part         picture // that is put together
	parts        int     // packets in it
	size         int     // of their payloads, in bytes
	torn         bool    // something of the picture is missing
	broken       bool    // no picture is of use before a key frame
	dropped      int     // pictures that were of no use; whoever counts them sets it back
}

func newAssembler(f format) *assembler { return &assembler{format: f, broken: true, torn: true} }

// push takes a packet and returns the pictures that it completes. lost says that pictures are missing before a key
// frame comes: one should be asked for.
func (a *assembler) push(p *rtp.Packet, now time.Time) (done []picture, lost bool) {
	if !a.begun {
		a.begun, a.next, a.newest = true, p.SequenceNumber, p.SequenceNumber-1
	}
	if behind(p.SequenceNumber, a.next) {
		return nil, false // it is late, or comes twice
	}
	for p.SequenceNumber-a.next >= window { // so much is missing that it is not waited for
		a.skip()
		lost = true
	}
	a.queue[p.SequenceNumber%window] = p
	if behind(a.newest, p.SequenceNumber) {
		a.newest = p.SequenceNumber
	}
	done = a.drain(done, now)
	for a.missing(now) {
		lost = true
		for a.queue[a.next%window] == nil {
			a.skip()
		}
		done = a.drain(done, now)
	}
	return done, lost || a.broken
}

// behind reports whether sequence number a comes before b.
func behind(a, b uint16) bool { return int16(a-b) < 0 }

// missing reports whether the next packet has been waited for long enough while others came.
func (a *assembler) missing(now time.Time) bool {
	if behind(a.newest, a.next) {
		a.since = time.Time{}
		return false
	}
	if a.since.IsZero() {
		a.since = now
	}
	return now.Sub(a.since) >= overdue
}

// skip gives the next packet up, and with it what was to become of it.
func (a *assembler) skip() {
	a.queue[a.next%window] = nil
	a.next++
	a.since = time.Time{}
	a.torn, a.broken = true, true
}

// drain puts together what is there without a gap.
func (a *assembler) drain(done []picture, now time.Time) []picture {
	for {
		p := a.queue[a.next%window]
		if p == nil || p.SequenceNumber != a.next {
			return done
		}
		a.queue[a.next%window] = nil
		a.next++
		a.since = time.Time{}
		if len(p.Payload) == 0 {
			continue // padding, by which browsers find out how fast the line is
		}
		if a.parts > 0 && p.Timestamp != a.part.stamp { // its last packet had no marker
			done = a.finish(done)
		}
		a.add(p, now)
		if p.Marker {
			done = a.finish(done)
		}
	}
}

// add puts a packet behind the others of its picture.
func (a *assembler) add(p *rtp.Packet, now time.Time) {
	if a.parts == 0 {
		a.depacketizer = a.format.depacketizer()
		a.part = picture{stamp: p.Timestamp, arrived: now}
		if a.format.begins(p.Payload) {
			a.torn = false
		}
	}
	a.parts++
	a.size += len(p.Payload)
	if a.torn {
		return
	}
	data, err := a.depacketizer.Unmarshal(p.Payload)
	if err != nil || a.size > maxPicture {
		a.torn, a.depacketizer, a.part.data = true, nil, nil
		return
	}
	a.part.data = append(a.part.data, data...)
}

// finish hands out the picture that is together, if it is of use.
func (a *assembler) finish(done []picture) []picture {
	p, torn := a.part, a.torn
	a.part, a.parts, a.size, a.torn, a.depacketizer = picture{}, 0, 0, false, nil
	p.key = !torn && a.format.key(p.data)
	a.broken = torn || a.broken && !p.key
	if a.broken || len(p.data) == 0 {
		a.dropped++
		return done
	}
	return append(done, p)
}

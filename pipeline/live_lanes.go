package pipeline

import (
	"bytes"
	"encoding/hex"
	"strings"
	"time"
)

// livePictureLane hands over the picture of a live stream at the stream's own times.
type livePictureLane struct {
	live  *Live
	clock *liveClock
	times *liveTimes
	told  []byte        // how pictures are to be decoded
	over  chan struct{} // closed when the last has been handed over
}

func (l *livePictureLane) taking() lane    { return l }
func (l *livePictureLane) fault(err error) { l.live.note(err) }

func (l *livePictureLane) caps(caps string, data []byte) error {
	if len(data) == 0 || bytes.Equal(data, l.told) { // not complete yet, or nothing new
		return nil
	}
	l.told = data
	return l.live.out.Picture.Init(StreamInit{
		Data: data, Width: capsInt(caps, "width"), Height: capsInt(caps, "height"),
		Aspect: capsFraction(caps, "pixel-aspect-ratio"), Colorimetry: capsField(caps, "colorimetry"),
	})
}

func (l *livePictureLane) buffer(b playBuffer) error {
	p, ok := l.clock.of(b.pts)
	if !ok {
		return fail(CodeInternal, nil, "a picture came out of the encoder at %s, which went in at no such time", b.pts)
	}
	at := l.times.own(p.pts)
	pts := liveTicks(at)
	if err := l.live.out.Picture.Packet(Packet{PTS: pts, DTS: pts, Duration: liveTicks(at+p.length) - pts, Key: b.key, Data: b.data}); err != nil {
		return err
	}
	l.live.handed.Add(1)
	l.live.until.Store(int64(at + p.length))
	return nil
}

func liveTicks(at time.Duration) int64 { return mulDiv(int64(at), LiveTimeScale, int64(time.Second)) }

func (l *livePictureLane) end() error {
	close(l.over)
	return nil
}

// liveSoundLane hands over the sound of a live stream. Its times go on by what the
// packets last: those of a container are rounded, which would be heard where a player
// takes them at their word.
type liveSoundLane struct {
	live  *Live
	times *liveTimes
	plan  SoundPlan
	told  bool // how packets are to be decoded
	head  []byte
	next  int64 // when the next packet is due, in ticks of its rate
	begun bool
	over  chan struct{} // closed when the last has been handed over
}

// soundSlip is how far sound may be from the times of its stream before it follows
// them: what is lost or cut out is more.
const soundSlip = 20 * time.Millisecond

func (l *liveSoundLane) taking() lane    { return l }
func (l *liveSoundLane) fault(err error) { l.live.note(err) }

func (l *liveSoundLane) caps(caps string, data []byte) error {
	if l.plan.Opus {
		data = opusHead(l.plan.Channels)
		if header := capsField(caps, "streamheader"); !l.plan.Passed && header != "" {
			data = encodersHead(header, data)
		}
	}
	if len(data) == 0 || bytes.Equal(data, l.head) {
		return nil
	}
	l.head, l.told = data, false
	return nil
}

// encodersHead returns the first of the headers in caps, which is that of the stream.
func encodersHead(header string, otherwise []byte) []byte {
	first, _, _ := strings.Cut(strings.Trim(header, "<> "), ",")
	data, err := hex.DecodeString(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(first), "(buffer)")))
	if err != nil || !bytes.HasPrefix(data, []byte("OpusHead")) {
		return otherwise
	}
	return data
}

func (l *liveSoundLane) buffer(b playBuffer) error {
	lasts := int64(aacFrame)
	if l.plan.Opus {
		lasts = opusSamples(b.data)
	}
	if lasts == 0 || l.head == nil {
		return nil // no packet, or none that anybody can decode
	}
	at := l.next
	if b.timed {
		if t := l.plan.samples(l.times.own(b.pts)); !l.begun || max(t-at, at-t) > l.plan.samples(soundSlip) {
			at = t
		}
	}
	l.next, l.begun = at+lasts, true
	if !l.live.opened.Load() {
		return nil // it lies before the first picture
	}
	if !l.told {
		l.told = true
		if err := l.live.out.Sound.Init(StreamInit{Data: l.head}); err != nil {
			return err
		}
	}
	if err := l.live.out.Sound.Packet(Packet{PTS: at, DTS: at, Duration: lasts, Key: true, Data: b.data}); err != nil {
		return err
	}
	l.live.handed.Add(1)
	return nil
}

func (l *liveSoundLane) end() error {
	close(l.over)
	return nil
}

package pipeline

// #include "live.h"
import "C"

import (
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// soundWay is the way of the sound.
type soundWay struct {
	times liveTimes
	pad   *gst.Pad   // behind the parser
	caps  string     // what the tail was made for
	tail  *livePart  // nil until caps came
	plan  *SoundPlan // of the tail
}

// listedPatience is how long the first picture waits for the form of sound that the
// container lists. Sound that comes later is encoded, whatever it is.
const listedPatience = 300 * time.Millisecond

// soundBytes bounds what waits for the sound's thread, which holds the stream up when
// it is full: sound is not let go.
const soundBytes = 4 << 20

// addSound takes a track of sound: a queue and a parser, whose caps tell what follows.
// The caller holds mu.
func (l *Live) addSound(pad *gst.Pad) error {
	caps := padCaps(pad)
	nodes := []Node{{Factory: "queue", Name: "sound", Props: []Prop{
		{"max-size-buffers", "0"}, {"max-size-bytes", itoa(soundBytes)}, {"max-size-time", "0"},
	}}}
	if capsName(caps) == "audio/mpeg" && capsInt(caps, "mpegversion") != 1 && capsField(caps, "stream-format") != "loas" {
		nodes = append(nodes, Node{Factory: "aacparse"}, Node{Caps: "audio/mpeg,stream-format=raw"})
	}
	made, err := l.head.chain(nodes)
	if err != nil {
		return err
	}
	l.sound = &soundWay{pad: made[len(made)-1].GetStaticPad("src")}
	l.tellCaps(l.sound.pad, l.hear)
	straightenPad(pad, l.head.handle(&l.sound.times))
	begun(made)
	if r := pad.Link(made[0].GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "the sound does not link to its queue: %d", r)
	}
	return nil
}

// soundFields are the fields of a track's caps that its way depends on.
var soundFields = []string{"rate", "channels", "stream-format", "profile", "codec_data", "mpegversion", "layer"}

// hear makes the way for sound of some caps, if there is another one or none. The
// caller holds mu and is on the thread behind the sound's queue.
func (l *Live) hear(caps string) error {
	way, form := l.sound, capsName(caps)
	for _, f := range soundFields {
		form += " " + capsField(caps, f)
	}
	if form == way.caps {
		return nil
	}
	if way.tail != nil {
		if err := l.retire(way.tail, way.pad); err != nil {
			return err
		}
		way.tail.free()
		way.tail = nil
	}
	plan := l.told.orAsTold(newLiveSound(caps, l.audio))
	tail, err := l.addSoundTail(plan)
	if err != nil {
		return err
	}
	if way.plan == nil {
		close(l.heard)
	}
	way.caps, way.plan, way.tail = form, &plan, tail
	begun(tail.elements)
	if r := way.pad.Link(tail.elements[0].GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "the sound does not link to what it is made by: %d", r)
	}
	return nil
}

// orAsTold returns the plan of sound that has come where the output was told of
// nothing else, and one that makes of it what was told.
func (s *SoundPlan) orAsTold(come SoundPlan) SoundPlan {
	if s == nil || s.Passed && come.Passed && come.Rate == s.Rate && come.Channels == s.Channels {
		return come
	}
	as := *s
	as.Passed, as.BitRate = false, max(as.BitRate, 64000*as.Channels)
	return as
}

// addSoundTail makes the elements of a plan. The caller holds mu.
func (l *Live) addSoundTail(plan SoundPlan) (*livePart, error) {
	sink := liveSink()
	sink.Name = "ear"
	t, err := l.addPart(append(plan.liveNodes(), sink))
	if err != nil {
		return nil, err
	}
	handOver(t.named["ear"], t.handle(&liveSoundLane{live: l, times: &l.sound.times, plan: plan, over: t.over}))
	return t, nil
}

// expectSound waits, not for long, for the form of sound that the container lists.
func (l *Live) expectSound() {
	l.mu.RLock()
	listed := l.audio != LiveSilent && (l.sound != nil || l.picture.listsSound())
	l.mu.RUnlock()
	if !listed {
		return
	}
	late := time.NewTimer(listedPatience)
	defer late.Stop()
	select {
	case <-l.heard:
	case <-late.C:
	case <-l.stop:
	}
}

// tellSound returns the sound that the output is told of, none where there is none. The
// caller holds mu.
func (l *Live) tellSound() []SoundPlan {
	switch {
	case l.audio == LiveSilent || l.sound == nil && !l.picture.listsSound():
		return nil
	case l.sound != nil && l.sound.plan != nil:
		l.told = l.sound.plan
	default:
		unknown := newLiveSound("audio/x-unknown,channels=2", l.audio)
		l.told = &unknown
	}
	return []SoundPlan{*l.told}
}

// listsSound reports whether the container lists sound that may not have come yet:
// matroskademux shows its tracks at once, tsdemux (1.22) each with its first data.
func (w *liveWay) listsSound() bool {
	return C.pad_lists_sound(unsafe.Pointer(w.track.Instance())) != 0 // valid: the demuxer holds the pad
}

package live

import (
	"errors"
	"fmt"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// handler takes what the worker of a session says.
type handler struct{ *Session }

// Init implements session.Handler, like the methods below. A stream that players could not begin with ends the session:
// what packages it is not to meet what a worker says that was taken over.
func (h handler) Init(m wire.Init) {
	if err := check(m); err != nil {
		h.Fail(err, session.CodeWorkerFailed)
		return
	}
	h.broadcast.init(m)
}

// check refuses codec data that is not as the run's has to be.
func check(m wire.Init) error {
	switch m.Run {
	case wire.RelayVideo:
		_, err := fmp4.VideoInit(m, wire.RelayTimeScale)
		return err
	case wire.RelayAudio:
		codec, err := fmp4.AudioCodec(m.CodecData)
		if err == nil && codec != m.Codec {
			err = fmt.Errorf("codec %.20q with data of %s", m.Codec, codec)
		}
		return err
	}
	return fmt.Errorf("run %d of a live stream", m.Run)
}

func (h handler) Packet(m wire.Packet) {
	if m.Run == wire.RelayVideo {
		h.Playing()
		h.mu.Lock()
		h.made = wire.Duration(m.PTS, wire.RelayTimeScale)
		h.mu.Unlock()
	}
	h.broadcast.packet(m)
}

func (h handler) Ended(m wire.Ended) {
	switch {
	case m.Run != wire.RelayVideo:
	case m.Error != nil:
		h.Fail(m.Error, session.CodeWorkerFailed)
	default:
		h.End(session.CauseEOS)
	}
}

func (h handler) Stats(m wire.Stats) {
	h.mu.Lock()
	made := h.made
	h.mu.Unlock()
	p := session.Progress{Position: made, Upscaled: m.Upscaled, Plain: m.Plain, Encoded: m.Encoded, Decoded: m.Upscaled + m.Plain + m.Dropped}
	if h.stream.Figures != nil {
		f := h.stream.Figures()
		m.Dropped += f.Pictures
		p.Behind = max(0, f.Newest-made)
	}
	if p.Behind > lag {
		h.Warn(wire.Warning{Code: codeBehind, Sentence: "The machine is too slow for this stream: what is made lies seconds behind what comes."})
	}
	h.Life.Progress(p)
	h.Life.Stats(m)
}

func (h handler) Warning(m wire.Warning) { h.Warn(m) }

func (h handler) Gone(err error) {
	if err == nil {
		err = errors.New("worker closed")
	}
	h.Fail(err, session.CodeWorkerLost)
}

// Of films and transcodes alone.
func (h handler) Cue(wire.Cue)           {}
func (h handler) Progress(wire.Progress) {}
func (h handler) Written(wire.Written)   {}

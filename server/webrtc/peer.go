package webrtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/live"
)

const (
	// reports is how often a peer is told how timestamps and time go together, and the first come with the first
	// packets: a browser needs two to put sound and picture together.
	reports = time.Second
	// begging is the shortest time between two requests for a key frame that are passed on. A browser repeats its own
	// until one comes, and each costs as much as ten pictures.
	begging = 400 * time.Millisecond
	// nonsense is how many packets in a row may be such that nobody can read them.
	nonsense = 100
	// farewell is how long a connection is kept open behind the last packet, so that it arrives, or is asked for again.
	farewell = 500 * time.Millisecond
)

// peer is one browser at the other end of a connection.
type peer struct {
	id      string
	session string
	pc      *webrtc.PeerConnection
	log     *slog.Logger
	o       *Options

	senders  map[*outlet]*webrtc.RTPSender
	picture  *outlet
	sound    *outlet // nil where none is sent
	incoming chan incoming
	tasks    sync.WaitGroup // goroutines of its life, which end when the connection is closed

	connected chan struct{}           // closed when media can flow
	over      context.Context         //nolint:containedctx // the life of a connection, which outlasts the request that made it
	end       context.CancelCauseFunc // of over
	gone      chan struct{}           // closed when nothing is left of the peer
}

// newPeer returns a peer of a connection that is answered next.
func newPeer(id string, pc *webrtc.PeerConnection, o *Options) *peer {
	p := &peer{
		id: id, pc: pc, o: o, log: o.Log.With("peer", id),
		senders: map[*outlet]*webrtc.RTPSender{}, incoming: make(chan incoming), connected: make(chan struct{}), gone: make(chan struct{}),
	}
	p.over, p.end = context.WithCancelCause(context.Background())
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(p.connected) })
		case webrtc.PeerConnectionStateFailed:
			p.end(errLost)
		case webrtc.PeerConnectionStateClosed:
			p.end(errClosed)
		default:
		}
	})
	return p
}

// send has media of a kind be sent in the section of the offer that takes it.
func (p *peer) send(codec webrtc.RTPCodecCapability, s section) (*outlet, error) {
	kind := s.kind.String()
	track, err := webrtc.NewTrackLocalStaticRTP(codec, kind, "upscaled")
	if err != nil {
		return nil, err
	}
	direction := webrtc.RTPTransceiverDirectionSendonly
	if s.sends {
		direction = webrtc.RTPTransceiverDirectionSendrecv
	}
	transceiver, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: direction})
	if err != nil {
		return nil, err
	}
	if err := transceiver.SetMid(s.mid); err != nil { // pion would take the first section of the kind
		return nil, err
	}
	o := newOutlet(track, s.kind == webrtc.RTPCodecTypeVideo)
	p.senders[o] = transceiver.Sender()
	return o, nil
}

// answer takes the offer and returns the answer, with all addresses in it. Errors are ErrOffer, ErrPorts, ctx's, and
// pion's own.
func (p *peer) answer(ctx context.Context, text string) (string, error) {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("answer an offer: %w", err)
	}
	select {
	case <-gathered: // at once: no other machine is asked
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	for o, sender := range p.senders {
		o.ssrc = uint32(sender.GetParameters().Encodings[0].SSRC)
	}
	described := p.pc.LocalDescription().SDP
	if !strings.Contains(described, "a=candidate:") {
		p.log.Error("browsers cannot be told where to connect to", "error", ErrPorts, "listen", p.o.Listen, "ports", p.o.Ports)
		return "", ErrPorts
	}
	return described, nil
}

// connect waits until media can flow.
func (p *peer) connect(ctx context.Context) error {
	timer := time.NewTimer(p.o.Connect)
	defer timer.Stop()
	select {
	case <-p.connected:
		return nil
	case <-timer.C:
		return errConnect
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// play sends a stream until it ends, which nil says, or ctx does.
func (p *peer) play(ctx context.Context, stream Stream) error {
	var line line
	tick := time.NewTicker(reports)
	defer tick.Stop()
	for {
		packet, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return pause(ctx, farewell)
		}
		if err != nil {
			return err
		}
		o := p.picture
		if packet.Sound {
			o = p.sound
		}
		if o == nil {
			continue
		}
		first := o.packets == 0
		line.begin(packet.At + packet.Shift)
		if err := o.write(ctx, packet); err != nil {
			return err
		}
		select {
		case <-tick.C:
			p.report(&line, p.picture, p.sound)
		default:
			if first {
				p.report(&line, o)
			}
		}
	}
}

// report tells the browser which timestamps belong to this moment.
func (p *peer) report(line *line, outlets ...*outlet) {
	now := time.Now()
	for _, o := range outlets {
		if o == nil || o.packets == 0 {
			continue
		}
		if err := p.pc.WriteRTCP([]rtcp.Packet{o.report(line.at(now), now)}); err != nil {
			p.log.Debug("no sender report", "error", err)
		}
	}
}

// listen reads what the browser says of media that it is sent, until the connection is closed, and passes on that it
// needs a key frame.
func (p *peer) listen(sender *webrtc.RTPSender, keyFrame func()) {
	var asked time.Time
	p.readAll(func() error {
		packets, _, err := sender.ReadRTCP()
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				if now := time.Now(); now.Sub(asked) >= begging {
					asked = now
					keyFrame()
				}
			}
		}
		return err
	})
}

// readAll reads again and again until the connection is closed. A packet that cannot be read is as good as lost;
// behind many in a row there is nothing to wait for, and the peer ends.
func (p *peer) readAll(read func() error) {
	var err error
	for unread := 0; unread < nonsense; {
		switch err = read(); {
		case err == nil:
			unread = 0
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		default:
			unread++
		}
	}
	p.end(fmt.Errorf("%w: %w", errNonsense, err))
}

// attend plays a stream to a peer and listens to it meanwhile.
func (p *peer) attend(stream Stream) error {
	for _, sender := range p.senders {
		p.start(func() { p.listen(sender, stream.KeyFrame) })
	}
	return p.play(p.over, stream)
}

// start begins a goroutine of the peer's life, which the life itself or another one of its goroutines does.
func (p *peer) start(task func()) {
	p.tasks.Go(func() {
		defer p.contain()
		task()
	})
}

// contain ends the peer where a part of its life panics: what it reads is from anybody, and a fault of ours there costs
// this peer, and the session that is its own, and not the server.
func (p *peer) contain() {
	if fault := recover(); fault != nil {
		p.log.Error("part of a peer panicked", "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		p.end(live.ErrFault)
	}
}

// close ends the connection and waits for all that went on.
func (p *peer) close() {
	if err := p.pc.GracefulClose(); err != nil {
		p.log.Debug("connection closed", "error", err)
	}
	p.tasks.Wait()
	close(p.gone)
}

// line relates the time of a stream to the wall's, once: whatever comes late later is late by it.
type line struct {
	zero time.Time
}

func (l *line) begin(at time.Duration) {
	if l.zero.IsZero() {
		l.zero = time.Now().Add(-at)
	}
}

func (l *line) at(now time.Time) time.Duration { return now.Sub(l.zero) }

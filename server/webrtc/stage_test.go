package webrtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// patience bounds each wait of a test, on a machine that may be busy.
const patience = 20 * time.Second

// serve returns a Server that runs, on a port of the system's choice, until the test ends, when it checks that no
// goroutine is left.
func serve(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	before := runtime.NumGoroutine()
	o := Options{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Peers: 4, Connect: 5 * time.Second,
		Disconnected: 2 * time.Second, Failed: 2 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	eventually(t, "running", func() bool { _, err := s.running(); return err == nil })
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
		if n := s.Peers(); n != 0 {
			t.Errorf("%d peers are left", n)
		}
		eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	})
	return s
}

// reel is a Stream of packets that are there already, each due at its time.
type reel struct {
	packets []Packet
	begun   time.Time
	next    int

	mu     sync.Mutex
	asked  int
	closed chan struct{}
}

func newReel(packets []Packet) *reel { return &reel{packets: packets, closed: make(chan struct{})} }

func (r *reel) Next(ctx context.Context) (Packet, error) {
	if r.next == len(r.packets) {
		return Packet{}, io.EOF
	}
	if r.begun.IsZero() {
		r.begun = time.Now()
	}
	p := r.packets[r.next]
	r.next++
	if wait := time.Until(r.begun.Add(p.At)); wait > 0 {
		if err := pause(ctx, wait); err != nil {
			return Packet{}, err
		}
	}
	return p, nil
}

func (r *reel) KeyFrame() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
}

func (r *reel) keyFrames() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func (r *reel) Close() { close(r.closed) }

// opened returns an opener of what is there.
func opened(stream Stream, media Media) opener {
	return func(context.Context) (Stream, Media, error) { return stream, media, nil }
}

// filmH264 returns pictures that x264 made, with a key frame every second, as Annex B and as packets of 25 a second.
func filmH264(t *testing.T, size string, seconds string) []Packet {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=rate=25:size="+size, "-t", seconds,
		"-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0",
		"-x264-params", "aud=1:repeat-headers=1:slices=1", "-f", "h264", "-").Output()
	must(t, err)
	var packets []Packet
	var unit []byte
	for _, nal := range bytes.Split(bytes.ReplaceAll(out, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1})[1:] {
		if nal[0]&31 == 9 {
			packets = append(packets, Packet{At: time.Duration(len(packets)) * 40 * time.Millisecond})
			continue
		}
		last := &packets[len(packets)-1]
		last.Key = last.Key || nal[0]&31 == 5
		unit = binary.BigEndian.AppendUint32(nil, uint32(len(nal)))
		last.Data = append(append(last.Data, unit...), nal...)
	}
	return packets
}

// client is a browser's part, played by pion.
type client struct {
	*webrtc.PeerConnection
	t      *testing.T
	states chan webrtc.PeerConnectionState
	tracks chan *webrtc.TrackRemote
}

func newClient(t *testing.T, beside ...interceptor.Factory) *client {
	t.Helper()
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.SetICETimeouts(5*time.Second, 5*time.Second, 2*time.Second)
	return newClientOf(t, e, beside...)
}

// newClientOf returns a client with settings of its own. What goes beside sees what the client sends before all else.
func newClientOf(t *testing.T, e webrtc.SettingEngine, beside ...interceptor.Factory) *client {
	t.Helper()
	m, all := &webrtc.MediaEngine{}, &interceptor.Registry{}
	must(t, m.RegisterDefaultCodecs())
	must(t, webrtc.RegisterDefaultInterceptors(m, all))
	for _, f := range beside {
		all.Add(f)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(all)).NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	c := &client{PeerConnection: pc, t: t, states: make(chan webrtc.PeerConnectionState, 16), tracks: make(chan *webrtc.TrackRemote, 4)}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		c.states <- state
		if state == webrtc.PeerConnectionStateFailed {
			go func() { _ = pc.Close() }() // ends who reads; the cleanup waits for it
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.tracks <- track })
	t.Cleanup(func() { must(t, pc.GracefulClose()) })
	return c
}

// receives has the client want media of a kind.
func (c *client) receives(kind webrtc.RTPCodecType) {
	c.t.Helper()
	_, err := c.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	must(c.t, err)
}

// offer returns the client's offer with its addresses.
func (c *client) offer() string {
	c.t.Helper()
	offer, err := c.CreateOffer(nil)
	must(c.t, err)
	gathered := webrtc.GatheringCompletePromise(c.PeerConnection)
	must(c.t, c.SetLocalDescription(offer))
	<-gathered
	return c.LocalDescription().SDP
}

// accept takes the answer.
func (c *client) accept(answer string) {
	c.t.Helper()
	must(c.t, c.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// track returns the next track that media comes of.
func (c *client) track() *webrtc.TrackRemote {
	c.t.Helper()
	select {
	case track := <-c.tracks:
		return track
	case <-time.After(patience):
		c.t.Fatal("no track came")
		return nil
	}
}

// over waits until the connection has ended: the server said goodbye, or was silent. What says goodbye in DTLS may get
// lost, and pion's reader closes the connection below it at times before it is sent.
func (c *client) over() {
	c.t.Helper()
	c.reaches(webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed)
}

// reaches waits for one of some states.
func (c *client) reaches(want ...webrtc.PeerConnectionState) {
	c.t.Helper()
	late := time.After(patience)
	for {
		select {
		case state := <-c.states:
			if slices.Contains(want, state) {
				return
			}
		case <-late:
			c.t.Fatalf("the connection is none of %s", want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			stacks := make([]byte, 1<<16)
			t.Fatalf("after %s still not: %s\n%s", patience, what, stacks[:runtime.Stack(stacks, true)])
		case <-again.C:
		}
	}
}

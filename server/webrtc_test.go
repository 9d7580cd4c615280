package server

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// viewer is a browser's part, played by pion: it wants a picture.
type viewer struct {
	*webrtc.PeerConnection
	offer  string
	tracks chan *webrtc.TrackRemote
	closed chan struct{}
}

func newViewer(t *testing.T) *viewer {
	t.Helper()
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	m := &webrtc.MediaEngine{}
	must(t, m.RegisterDefaultCodecs())
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	v := &viewer{PeerConnection: pc, tracks: make(chan *webrtc.TrackRemote, 1), closed: make(chan struct{})}
	t.Cleanup(func() { must(t, pc.GracefulClose()) })
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { v.tracks <- track })
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateClosed {
			close(v.closed)
		}
	})
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	must(t, err)
	offer, err := pc.CreateOffer(nil)
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	must(t, pc.SetLocalDescription(offer))
	<-gathered
	v.offer = pc.LocalDescription().SDP
	return v
}

// sdpHeader says what an offer is.
var sdpHeader = []string{"Content-Type", "application/sdp"}

// problemsOfPeers watches a film as a browser does, with the session's URL, and gets what goes wrong with that.
func problemsOfPeers(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.WebRTC.Peers = 1
	d := begin(t, c)
	s := d.play(d.add("a.mkv", workertest.Film{Duration: workertest.Length(time.Minute), Audio: []workertest.Sound{{}}}))
	path := "/v1/sessions/" + s.ID + "/whep"
	got.refused(t, d.ask("POST", path, "v=0", sdpHeader...), problem.OfferRefused)
	typed := d.ask("POST", path, "{}", "Content-Type", "application/json")
	if got.refused(t, typed, problem.UnsupportedType); typed.status != 415 || typed.header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("%d %v", typed.status, typed.header)
	}
	got.refused(t, d.ask("POST", "/v1/whip?return=sendrecv", newViewer(t).offer, sdpHeader...), problem.OfferRefused)
	got.refused(t, d.ask("POST", "/v1/whip", "v=0", sdpHeader...), problem.BadRequest)
	got.refused(t, d.ask("DELETE", path+"/"+strings.Repeat("a", 26), ""), problem.PeerUnknown)

	v := newViewer(t)
	a := d.ask("POST", s.URLs.WHEP, v.offer, sdpHeader...)
	location := a.header.Get("Location")
	if a.status != http.StatusCreated || !strings.HasPrefix(location, s.URLs.WHEP+"/") || a.header.Get("Upscaled-Warning") != "sound_left_out" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	must(t, v.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(a.body)}))
	track := <-v.tracks
	for pictures := 0; pictures < 10; {
		packet, _, err := track.ReadRTP()
		must(t, err)
		if packet.Marker {
			pictures++
		}
	}
	got.refused(t, d.ask("POST", path, newViewer(t).offer, sdpHeader...), problem.TooManyPeers)
	got.refused(t, d.ask("PATCH", location, "", "Content-Type", "application/trickle-ice-sdpfrag"), problem.MethodNotAllowed)
	if a := d.ask("DELETE", location, ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	<-v.closed
}

// TestPeersComeWhereHTTPIs listens at names of this machine: both ports are open at the one address that a name stands
// for, and not at others.
func TestPeersComeWhereHTTPIs(t *testing.T) {
	names := []string{"localhost"}
	own, err := os.Hostname()
	must(t, err)
	if _, err := net.ResolveTCPAddr("tcp", own+":0"); err == nil {
		names = append(names, own)
	}
	for _, name := range names {
		c := settings(t)
		c.Listen = name + ":0"
		d := begin(t, c)
		web, err := netip.ParseAddrPort(strings.TrimPrefix(d.url, "http://"))
		must(t, err)
		until(t, "the port of WebRTC is open", func() bool { return d.peers.Address().IsValid() })
		if at := d.peers.Address().Addr(); at != web.Addr() || at.IsUnspecified() {
			t.Errorf("%s: HTTP at %s, and WebRTC at %s", name, web.Addr(), at)
		}
	}
}

// TestMediaURLIsNoTicket has who was given a film send a picture of his own with it,
// which needs a URL that was signed for that.
func TestMediaURLIsNoTicket(t *testing.T) {
	d := begin(t, settings(t))
	s := d.play(d.add("a.mkv", workertest.Film{}))
	id, capability, _ := strings.Cut(strings.TrimPrefix(s.URLs.WHEP, "/v1/sessions/"), "/media/")
	const query = "?return=sendrecv"
	refused(t, d.ask("POST", "/v1/whip/"+id+"/"+strings.TrimSuffix(capability, "/whep")+query, "v=0", sdpHeader...), problem.CapabilityInvalid)
	signed := want[playback.Whip](t, d.ask("POST", "/v1/whip/urls", ""), 200)
	refused(t, d.ask("POST", signed.WHIP+query, "v=0", sdpHeader...), problem.OfferRefused)
}

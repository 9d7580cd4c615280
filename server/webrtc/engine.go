package webrtc

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// socketBuffer is the kernel's buffers of the shared port each way, in bytes: a key frame of a large picture comes as
// some 300 packets at once. The kernel may grant less.
const socketBuffer = 2 << 20

// network is how peers are reached. It lives as long as Run.
type network struct {
	o      *Options
	mux    ice.UDPMux     // nil where each peer has a port of its own
	socket net.PacketConn // of mux
}

// open opens the port that all peers share, unless each is to have one of a range.
func (o *Options) open() (*network, error) {
	n := &network{o: o}
	if o.Ports != (Ports{}) {
		return n, nil
	}
	at := net.UDPAddrFromAddrPort(o.Listen)
	if o.Listen.Addr() == netip.IPv6Unspecified() {
		at.IP = nil // of both versions, where the machine has both
	}
	socket, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("webrtc.port: %w", err)
	}
	_, _ = socket.SetReadBuffer(socketBuffer), socket.SetWriteBuffer(socketBuffer) // what is granted is enough for small pictures
	n.socket, n.mux = socket, webrtc.NewICEUDPMux(logs{o.Log}.NewLogger("udp"), socket)
	if bound := socket.LocalAddr().(*net.UDPAddr); bound.IP.IsUnspecified() {
		n.mux = everywhere{UDPMux: n.mux, at: bound, addresses: ownAddresses}
	}
	return n, nil
}

func (n *network) close() error {
	if n.mux == nil {
		return nil
	}
	return n.mux.Close() // with its socket
}

// address returns that of the shared port, the zero value where there is none.
func (n *network) address() netip.AddrPort {
	if n.socket == nil {
		return netip.AddrPort{}
	}
	return n.socket.LocalAddr().(*net.UDPAddr).AddrPort()
}

// settings say how a connection is made: without STUN and mDNS, and as a lite agent (RFC 8445 §2.5), which answers
// the browser's checks and sends none. So nothing is ever sent to an address because an offer names it.
func (n *network) settings() (webrtc.SettingEngine, error) {
	var e webrtc.SettingEngine
	e.LoggerFactory = logs{n.o.Log}
	e.SetLite(true)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	e.SetICETimeouts(n.o.Disconnected, n.o.Failed, n.o.Disconnected/2)
	e.SetIncludeLoopbackCandidate(n.o.Listen.Addr().IsLoopback())
	e.DisableActiveTCP(true)
	if n.mux != nil {
		e.SetICEUDPMux(n.mux)
	} else {
		if err := e.SetEphemeralUDPPortRange(n.o.Ports.First, n.o.Ports.Last); err != nil {
			return e, fmt.Errorf("webrtc.ports: %w", err)
		}
		if only := n.o.Listen.Addr(); !only.IsUnspecified() {
			e.SetIPFilter(func(ip net.IP) bool { return ip.Equal(only.AsSlice()) })
		}
	}
	if len(n.o.Addresses) == 0 {
		return e, nil
	}
	rule := webrtc.ICEAddressRewriteRule{AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace}
	for _, a := range n.o.Addresses {
		rule.External = append(rule.External, a.String())
	}
	if err := e.SetICEAddressRewriteRules(rule); err != nil {
		return e, fmt.Errorf("webrtc.addresses: %w", err)
	}
	return e, nil
}

// Payload types of formats. The browser's own count where an offer has them.
const (
	typeOpus = 111
	typeVP8  = 96
	typeH264 = 102 // and those after, two for each profile
)

// formats returns what is sent and received: H.264 of the profiles that are told apart, Opus, and VP8 where a picture
// is taken in, each with what is retransmitted of it.
func formats(vp8 bool) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	add := func(mime, fmtp string, number webrtc.PayloadType) error {
		feedback := []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}}
		codec := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: pictureRate, SDPFmtpLine: fmtp, RTCPFeedback: feedback}
		again := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: pictureRate, SDPFmtpLine: fmt.Sprintf("apt=%d", number)}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: codec, PayloadType: number}, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
		return m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: again, PayloadType: number + 1}, webrtc.RTPCodecTypeVideo)
	}
	for i, p := range profiles {
		if err := add(webrtc.MimeTypeH264, p.fmtp(), webrtc.PayloadType(typeH264+2*i)); err != nil {
			return nil, err
		}
	}
	if vp8 {
		if err := add(webrtc.MimeTypeVP8, "", typeVP8); err != nil {
			return nil, err
		}
	}
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: soundRate, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "transport-cc"}},
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: typeOpus}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, uri := range []string{sdp.TransportCCURI, sdp.SDESMidURI} {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// interceptors returns what goes on beside the media: lost packets are asked for and sent again, and the browser is
// told what arrives when, by which it finds the rate that it can send at. Sender reports are ours: see outlet.
func interceptors(log logs) (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	responder, err := nack.NewResponderInterceptor(nack.WithResponderLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20*time.Millisecond), nack.WithGeneratorLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	arrivals, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	for _, f := range []interceptor.Factory{responder, generator, reports, arrivals} {
		r.Add(f)
	}
	return r, nil
}

// connection returns a peer connection to nobody yet.
func (n *network) connection(vp8 bool) (*webrtc.PeerConnection, error) {
	settings, err := n.settings()
	if err != nil {
		return nil, err
	}
	media, err := formats(vp8)
	if err != nil {
		return nil, err
	}
	beside, err := interceptors(logs{n.o.Log})
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(beside))
	return api.NewPeerConnection(webrtc.Configuration{})
}

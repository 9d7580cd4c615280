package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/source"
)

// readRTSP plays what an rtsp or rtsps URL names until it breaks off.
func (i *Intake) readRTSP(ctx context.Context, l *line) error {
	protocol := gortsplib.ProtocolTCP
	if i.o.Transport == TransportUDP {
		protocol = gortsplib.ProtocolUDP
	}
	err := i.play(ctx, l, protocol)
	var bad liberrors.ErrClientBadStatusCode
	if errors.As(err, &bad) && bad.Code == base.StatusUnsupportedTransport && i.o.Transport != TransportTCP && protocol == gortsplib.ProtocolTCP {
		err = i.play(ctx, l, gortsplib.ProtocolUDP)
	}
	if errors.As(err, &bad) {
		return status(i.name, int(bad.Code))
	}
	return err
}

// play plays over one connection.
func (i *Intake) play(ctx context.Context, l *line, protocol gortsplib.Protocol) error {
	u, err := base.ParseURL(i.url.String())
	if err != nil {
		return final(string(source.CodeRefused), nil, "the source is no valid URL")
	}
	peers := &peers{outside: i.o.Outside}
	client := &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Protocol: &protocol, UserAgent: "upscaled",
		ReadTimeout: i.o.Outside.Patience(), WriteTimeout: i.o.Outside.Patience(), TLSConfig: trusting(i.o.Outside.Trust(), i.url.Hostname()),
		DialContext: peers.dial, ListenPacket: peers.listen, ResolveIPAddr: peers.resolve,
		OnPacketsLost: func(lost uint64) { i.log.Debug("packets lost", "source", i.name, "packets", lost) },
		OnDecodeError: func(err error) { i.log.Debug("packet damaged", "source", i.name, "error", err) },
	}
	if err := client.Start(); err != nil {
		return err
	}
	var closing sync.Once
	shut := func() { closing.Do(client.Close) }
	defer shut()
	defer context.AfterFunc(ctx, shut)()
	found, _, err := client.Describe(u)
	if err != nil {
		return err
	}
	if err := i.chooseRTSP(l, client, found); err != nil {
		return err
	}
	if _, err := client.Play(nil); err != nil {
		return err
	}
	var closed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		closed = client.Wait()
	}()
	select {
	case err = <-l.trouble:
		shut()
		<-ended
		return err
	case <-ended:
		return l.because(closed)
	}
}

// trusting returns how the certificate of a host is checked; nil is the library's own way.
func trusting(trust *tls.Config, host string) *tls.Config {
	if trust == nil {
		return nil
	}
	trust = trust.Clone()
	trust.ServerName = host
	return trust
}

// chooseRTSP sets the first picture up, and the first sound that can be carried.
func (i *Intake) chooseRTSP(l *line, client *gortsplib.Client, found *description.Session) error {
	var picture, sound bool
	var described *matroska.Track
	var known sets
	for _, media := range found.Medias {
		for _, f := range media.Formats {
			if !picture && media.Type == description.MediaTypeVideo {
				if take, err := pictureRTSP(l, f, &known); err != nil {
					return err
				} else if take != nil {
					picture = true
					if err := setup(l, client, found.BaseURL, media, f, take); err != nil {
						return err
					}
				}
			}
			if !sound && media.Type == description.MediaTypeAudio {
				track, take, err := soundRTSP(l, f)
				if err != nil {
					return err
				}
				if take != nil {
					sound, described = true, track
					if err := setup(l, client, found.BaseURL, media, f, take); err != nil {
						return err
					}
				}
			}
		}
	}
	if !picture {
		return final(CodeNoVideo, nil, "%q has no picture that can be taken in; H.264 and H.265 can", i.name)
	}
	sounds := silent
	switch {
	case sound:
		sounds = announced
	case hasSound(found):
		i.mute(carried)
	}
	l.tracks(known, described, sounds)
	return nil
}

func hasSound(found *description.Session) bool {
	return slices.ContainsFunc(found.Medias, func(m *description.Media) bool { return m.Type == description.MediaTypeAudio })
}

// setup has the packets of a format go to take, with their times.
func setup(l *line, client *gortsplib.Client, at *base.URL, media *description.Media, f format.Format, take func(time.Duration, *rtp.Packet)) error {
	if _, err := client.Setup(at, media, 0, 0); err != nil {
		return err
	}
	client.OnPacketRTP(media, f, func(packet *rtp.Packet) {
		defer l.rescue()
		if pts, ok := client.PacketPTS(media, packet); ok { // not before the tracks are in step
			take(ticks(pts, f.ClockRate()), packet)
		}
	})
	return nil
}

// pictureRTSP returns what takes the packets of a picture, and its parameter sets as far as they are known; nil where
// it cannot be carried.
func pictureRTSP(l *line, f format.Format, known *sets) (func(time.Duration, *rtp.Packet), error) {
	var decode func(*rtp.Packet) ([][]byte, error)
	switch f := f.(type) {
	case *format.H264:
		decoder, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		decode = decoder.Decode
		known.codec = matroska.AVC
		known.sps, known.pps = f.SafeParams()
	case *format.H265:
		decoder, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		decode = decoder.Decode
		known.codec = matroska.HEVC
		known.vps, known.sps, known.pps = f.SafeParams()
	default:
		return nil, nil
	}
	return func(pts time.Duration, packet *rtp.Packet) {
		au, err := decode(packet)
		if err != nil { // most often: more packets are needed
			return
		}
		l.note(l.picture(pts, au))
	}, nil
}

// soundRTSP describes sound, unless it tells itself what it is, and returns what takes its packets; nil where it cannot be
// carried.
func soundRTSP(l *line, f format.Format) (*matroska.Track, func(time.Duration, *rtp.Packet), error) {
	switch f := f.(type) {
	case *format.MPEG4Audio:
		decoder, err := f.CreateDecoder()
		if err != nil || f.Config == nil {
			return nil, nil, err
		}
		track := aac(f.Config)
		if track == nil {
			return nil, nil, nil
		}
		each := ticks(mpeg4audio.SamplesPerAccessUnit, track.Rate)
		return track, func(pts time.Duration, packet *rtp.Packet) {
			if frames, err := decoder.Decode(packet); err == nil { // or more packets are needed
				l.note(l.frames(pts, each, frames))
			}
		}, nil
	case *format.Opus:
		decoder, err := f.CreateDecoder()
		if err != nil {
			return nil, nil, err
		}
		track := opus(f.ChannelCount)
		if track == nil {
			return nil, nil, nil
		}
		return track, func(pts time.Duration, packet *rtp.Packet) {
			if data, err := decoder.Decode(packet); err == nil {
				l.note(l.frame(pts, data))
			}
		}, nil
	case *format.MPEG1Audio:
		decoder, err := f.CreateDecoder()
		if err != nil {
			return nil, nil, err
		}
		return nil, framesRTSP(l, mpeg, decoder.Decode), nil
	case *format.AC3:
		decoder, err := f.CreateDecoder()
		if err != nil {
			return nil, nil, err
		}
		return nil, framesRTSP(l, dolby, decoder.Decode), nil
	}
	return nil, nil, nil
}

// framesRTSP takes the packets of sound that tells itself what it is.
func framesRTSP(l *line, f family, decode func(*rtp.Packet) ([][]byte, error)) func(time.Duration, *rtp.Packet) {
	cutter := &framer{family: f}
	return func(pts time.Duration, packet *rtp.Packet) {
		frames, err := decode(packet)
		if err != nil { // most often: more packets are needed
			return
		}
		l.note(l.told(cutter, pts, slices.Concat(frames...)))
	}
}

// peers are the hosts that a client is connected to. Only they are sent packets: where a server would have them go
// is its to say, and could be anywhere.
type peers struct {
	outside *source.Outside

	mu  sync.Mutex
	all map[netip.Addr]bool // guarded by mu
}

func (p *peers) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.outside.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[netip.Addr]bool{}
	}
	p.all[addrOf(conn.RemoteAddr())] = true
	return conn, nil
}

// addrOf returns the address of an end of a connection.
func addrOf(a net.Addr) netip.Addr {
	end, _ := netip.ParseAddrPort(a.String())
	return end.Addr().Unmap().WithZone("")
}

func (p *peers) knows(a net.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[addrOf(a)]
}

// resolve refuses names: a server that names another host for its packets is not followed.
func (p *peers) resolve(_, name string) (*net.IPAddr, error) {
	return nil, fmt.Errorf("packets from another host, %q", name)
}

func (p *peers) listen(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, address) //nolint:noctx // the library gives none; it closes the socket
	if err != nil {
		return nil, err
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is not for packets", network), conn.Close())
	}
	return &packets{UDPConn: udp, peers: p}, nil
}

// packets is a socket that sends to peers alone.
type packets struct {
	*net.UDPConn
	peers *peers
}

// WriteTo implements net.PacketConn.
func (p *packets) WriteTo(b []byte, to net.Addr) (int, error) {
	if !p.peers.knows(to) {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: syscall.EACCES}
	}
	return p.UDPConn.WriteTo(b, to)
}

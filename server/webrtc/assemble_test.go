package webrtc

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// filmVP8 returns pictures that libvpx made, with a key frame every second, of 25 a second.
func filmVP8(t *testing.T, size string, seconds string) []Packet {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=rate=25:size="+size, "-t", seconds,
		"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "25", "-auto-alt-ref", "0", "-f", "ivf", "-").Output()
	must(t, err)
	var packets []Packet
	for out = out[32:]; len(out) > 0; { // heads of IVF: 32 bytes of the file, 12 of a frame, which begin with its size
		n := 12 + int(out[0]) + int(out[1])<<8 + int(out[2])<<16
		packets = append(packets, Packet{At: time.Duration(len(packets)) * 40 * time.Millisecond, Key: out[12]&1 == 0, Data: out[12:n]})
		out = out[n:]
	}
	return packets
}

// packetize returns the RTP packets of pictures, whose sequence numbers wrap around on the way.
func packetize(t *testing.T, h264 bool, pictures []Packet) []*rtp.Packet {
	t.Helper()
	o := &outlet{payloader: &codecs.VP8Payloader{EnablePictureID: true}, rate: pictureRate}
	if h264 {
		o = newOutlet(nil, true)
		o.base = 0
	}
	sequence := uint16(65500)
	var packets []*rtp.Packet
	for _, p := range pictures {
		payloads, err := o.split(p.Data)
		must(t, err)
		for i, data := range payloads {
			packets = append(packets, &rtp.Packet{Payload: data, Header: rtp.Header{
				SequenceNumber: sequence, Timestamp: o.timestamp(p.At), Marker: i == len(payloads)-1,
			}})
			sequence++
		}
	}
	return packets
}

func TestPicturesArePutTogether(t *testing.T) {
	for _, test := range []struct {
		mime     string
		pictures []Packet
		codec    matroska.Codec
	}{
		{webrtc.MimeTypeH264, filmH264(t, "320x180", "4"), matroska.AVC},
		{webrtc.MimeTypeVP8, filmVP8(t, "320x180", "4"), matroska.VP8},
	} {
		t.Run(test.mime, func(t *testing.T) {
			packets := packetize(t, test.mime == webrtc.MimeTypeH264, test.pictures)
			byTime := map[uint32]Packet{}
			for _, p := range test.pictures {
				byTime[uint32(p.At*pictureRate/time.Second)] = p
			}
			for name, mishap := range map[string]func([]*rtp.Packet) []*rtp.Packet{
				"none":      func(p []*rtp.Packet) []*rtp.Packet { return p },
				"reordered": reordered,
				"doubled":   func(p []*rtp.Packet) []*rtp.Packet { return append(p[:len(p):len(p)], p...) },
				"lost":      lost,
			} {
				t.Run(name, func(t *testing.T) {
					a := newAssembler(inbound[test.mime])
					var got []picture
					begged := false
					for i, p := range mishap(packets) {
						done, gap := a.push(p, time.Unix(0, 0).Add(time.Duration(i)*5*time.Millisecond))
						begged = begged || gap && len(got) > 0
						got = append(got, done...)
					}
					if name != "lost" && len(got) != len(test.pictures) || len(got) < len(test.pictures)/3 {
						t.Errorf("%d pictures of %d", len(got), len(test.pictures))
					}
					if name == "lost" && (len(got) == len(test.pictures) || !begged) {
						t.Error("the loss was not seen")
					}
					for i, p := range got {
						want := byTime[p.stamp]
						if !bytes.Equal(p.data, want.Data) || p.key != want.Key {
							t.Fatalf("picture %d at %d: %d bytes, not %d", i, p.stamp, len(p.data), len(want.Data))
						}
						if whole := i > 0 && p.stamp-got[i-1].stamp == pictureRate/25; !p.key && !whole {
							t.Fatalf("picture %d follows on one that is missing", i)
						}
					}
					track, err := inbound[test.mime].track(got[0].data)
					if must(t, err); track.Codec != test.codec || track.Width != 320 || track.Height != 180 {
						t.Errorf("%+v", track)
					}
				})
			}
		})
	}
}

// reordered moves every tenth packet three places back.
func reordered(packets []*rtp.Packet) []*rtp.Packet {
	packets = append([]*rtp.Packet(nil), packets...)
	for i := 10; i+3 < len(packets); i += 10 {
		late := packets[i]
		copy(packets[i:], packets[i+1:i+4])
		packets[i+3] = late
	}
	return packets
}

// lost leaves a few packets out.
func lost(packets []*rtp.Packet) (left []*rtp.Packet) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range packets {
		if random.IntN(60) > 0 {
			left = append(left, p)
		}
	}
	return left
}

// counted is a depacketizer that tells how much it was given.
type counted struct {
	rtp.Depacketizer
	bytes *int
}

func (c counted) Unmarshal(payload []byte) ([]byte, error) {
	*c.bytes += len(payload)
	return c.Depacketizer.Unmarshal(payload)
}

// TestPictureWithoutEndIsGivenUp sends fragments of a unit whose last one never comes: what is kept of them is bounded,
// and the picture behind them is put together.
func TestPictureWithoutEndIsGivenUp(t *testing.T) {
	h264, given := inbound[webrtc.MimeTypeH264], 0
	f := h264
	f.depacketizer = func() rtp.Depacketizer { return counted{h264.depacketizer(), &given} }
	a, now := newAssembler(f), time.Unix(0, 0)
	fragment := append([]byte{28, 0x85}, make([]byte, 8000)...) // of type FU-A, the first
	for i := range 20 << 20 / len(fragment) {
		if done, _ := a.push(&rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(i)}, Payload: fragment}, now); len(done) > 0 {
			t.Fatal("a picture came of it")
		}
		fragment = append([]byte{28, 5}, make([]byte, 8000)...)
	}
	if given > maxPicture+len(fragment) {
		t.Errorf("%d bytes are kept", given)
	}
	key := filmH264(t, "160x96", "0.1")[:1]
	key[0].At = time.Second
	var got []picture
	for _, p := range packetize(t, true, key) {
		p.SequenceNumber = a.next
		done, _ := a.push(p, now)
		got = append(got, done...)
	}
	if len(got) != 1 || !bytes.Equal(got[0].data, key[0].Data) {
		t.Errorf("%d pictures behind it", len(got))
	}
}

// aggregated returns units as they stand in a packet of type STAP-A (RFC 6184 §5.7.1): with lengths of two bytes.
func aggregated(data []byte) (out []byte) {
	_ = units(data, func(unit []byte) { out = append(binary.BigEndian.AppendUint16(out, uint16(len(unit))), unit...) })
	return out
}

// FuzzAssembler pushes packets of any kind in any order: what comes out is never more than what went in.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 1, 0, 3, 0x67, 1, 2, 0, 2, 1, 2, 0x65, 1}, true)
	f.Add([]byte{0, 1, 1, 12, 0x10, 0, 0, 0, 0x9d, 1, 0x2a, 8, 0, 8, 0, 0}, false)
	f.Add(slices.Concat([]byte{0, 1, 1, byte(1 + len(hostile) - 6), 24}, aggregated(hostile)), true)
	f.Fuzz(func(t *testing.T, script []byte, h264 bool) {
		mime := webrtc.MimeTypeVP8
		if h264 {
			mime = webrtc.MimeTypeH264
		}
		a := newAssembler(inbound[mime])
		now := time.Unix(0, 0)
		in, out := 0, 0
		for len(script) > 4 {
			n := min(int(script[3]), len(script)-4)
			p := &rtp.Packet{Payload: script[4 : 4+n], Header: rtp.Header{
				SequenceNumber: uint16(int8(script[0])) * 37, Timestamp: uint32(script[1]), Marker: script[2]&1 == 1,
			}}
			in += 4 * n // a unit of one byte gets a length of four
			now = now.Add(time.Duration(script[2]) * time.Millisecond)
			done, _ := a.push(p, now)
			for _, d := range done {
				out += len(d.data)
				if d.key {
					_, _ = a.format.track(d.data)
				}
			}
			script = script[4+n:]
		}
		if out > in+in/2 {
			t.Errorf("%d bytes of %d", out, in)
		}
	})
}

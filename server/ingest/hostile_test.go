package ingest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// hostileStation answers whoever comes over RTSP with a session description, sends packets on the first channel that is set
// up, and is gone. It returns its URL.
func hostileStation(t testing.TB, sdp string, packets ...[]byte) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serveHostile(conn, sdp, packets)
		}
	}()
	return "rtsp://" + listener.Addr().String() + "/hostile"
}

func serveHostile(conn net.Conn, sdp string, packets [][]byte) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := textproto.NewReader(bufio.NewReader(conn))
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		asked, err := r.ReadMIMEHeader()
		if err != nil {
			return
		}
		method, _, _ := strings.Cut(line, " ")
		head := fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: %s\r\nSession: 1\r\n", asked.Get("CSeq"))
		switch method {
		case "OPTIONS":
			head += "Public: DESCRIBE, SETUP, PLAY\r\n\r\n"
		case "DESCRIBE":
			head += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case "SETUP":
			head += "Transport: " + asked.Get("Transport") + "\r\n\r\n"
		default:
			head += "\r\n"
		}
		out := []byte(head)
		if method == "PLAY" {
			for _, packet := range packets {
				out = binary.BigEndian.AppendUint16(append(out, '$', 0), uint16(len(packet)))
				out = append(out, packet...)
			}
		}
		if _, err := conn.Write(out); err != nil || method == "PLAY" {
			return
		}
	}
}

// rtpPacket is a packet with a marker.
func rtpPacket(kind byte, payload ...byte) []byte {
	return append([]byte{0x80, 0x80 | kind, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, payload...)
}

const (
	sdpHead    = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
	sdpPicture = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:picture\r\n"
)

// TestHostileRTSP holds that nothing a server sends ends the process.
func TestHostileRTSP(t *testing.T) {
	t.Parallel()
	aac := func(config, size string) string {
		return "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000/2\r\na=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=" +
			size + ";indexlength=3;indexdeltalength=3;config=" + config + "\r\na=control:sound\r\n"
	}
	for name, row := range map[string]struct {
		sdp    string
		packet []byte
		want   string
	}{
		"sound without a rate": {sdpHead + aac("1780000010", "13") + sdpPicture, rtpPacket(97, 0, 16, 0, 8, 1), codeUnreachable},
		"frame of half the memory": {
			sdpHead + aac("1190", "64") + sdpPicture,
			rtpPacket(97, 0, 67, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0), codeInternal,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := hostileStation(t, row.sdp, row.packet)
			o := options(outside(t, url))
			o.Connect = 500 * ms
			intake, err := New(url, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := taken(t, intake); code(err) != row.want {
				t.Errorf("%v (%s), want %s", err, code(err), row.want)
			}
		})
	}
}

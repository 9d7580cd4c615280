package webrtc

import (
	"context"
	"time"
)

// Ticks a second of RTP timestamps: of H.264 and VP8 (RFC 6184 §8.1, RFC 7741 §4.1), and of Opus (RFC 7587 §4.1).
const (
	pictureRate = 90000
	soundRate   = 48000
)

// Stream is what a peer is sent. Next and Close are called by one goroutine, KeyFrame by any.
type Stream interface {
	// Next returns what comes next when it is due, the first picture a key frame. It waits for what is not there
	// yet; io.EOF says that the stream has ended well.
	Next(ctx context.Context) (Packet, error)
	// KeyFrame asks for a key frame: the peer cannot show the picture without one. It does not wait. A stream that
	// cannot have one made goes on to the next that there is.
	KeyFrame()
	// Close ends the stream. Next is not called after it.
	Close()
}

// Packet is a picture of H.264 in AVC form, key frames with their parameter sets in front, or a packet of Opus.
type Packet struct {
	Sound bool
	Key   bool
	// At is when it is to be shown or heard, on a line that picture and sound share and that goes as the clock on the
	// wall does; where it begins does not matter.
	At time.Duration
	// Shift is what At is to be moved by to be on that line, where a sound's own line is another one. It may change as
	// the two are found to belong together otherwise.
	Shift time.Duration
	Data  []byte
}

// Media is what is known of a Stream before its first packet.
type Media struct {
	CodecData []byte // avcC of the picture, nil where it is not made yet
	Sound     bool   // it has sound that a browser takes
	Warnings  []Warning
}

// Warning says what a peer will miss.
type Warning struct {
	Code, Sentence string
}

// soundLeftOut is said where a session's sound is AAC.
var soundLeftOut = Warning{
	Code: "sound_left_out", Sentence: "The sound of this session is AAC, which WebRTC does not have: the picture is sent alone. A session that is created with output.sound opus has both.",
}

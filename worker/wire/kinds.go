package wire

import "fmt"

// Kind says what a frame holds.
type Kind uint8

// The kinds. Numbers are never given twice.
const (
	KindHello     Kind = 1
	KindOpen      Kind = 16
	KindPlay      Kind = 17
	KindLimit     Kind = 18
	KindHalt      Kind = 19
	KindSet       Kind = 20
	KindKeyFrame  Kind = 21
	KindMeasure   Kind = 22
	KindStop      Kind = 23
	KindLoad      Kind = 24
	KindPrepare   Kind = 25
	KindTranscode Kind = 26
	KindRelay     Kind = 27
	KindReply     Kind = 64
	KindInit      Kind = 65
	KindPacket    Kind = 66
	KindCue       Kind = 67
	KindProgress  Kind = 68
	KindEnded     Kind = 69
	KindStats     Kind = 70
	KindWarning   Kind = 71
	KindWritten   Kind = 72
)

// String returns the kind's name, for logs.
func (k Kind) String() string {
	if name, ok := names[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

var names = map[Kind]string{
	KindHello: "hello", KindOpen: "open", KindPlay: "play", KindLimit: "limit", KindHalt: "halt", KindSet: "set",
	KindKeyFrame: "key frame", KindMeasure: "measure", KindStop: "stop", KindLoad: "load", KindReply: "reply", KindInit: "init",
	KindPacket: "packet", KindCue: "cue", KindProgress: "progress", KindEnded: "ended", KindStats: "stats", KindWarning: "warning",
	KindPrepare: "prepare", KindTranscode: "transcode", KindRelay: "relay", KindWritten: "written",
}

// kinds reads the payload of each kind.
var kinds = map[Kind]func([]byte) (Message, error){
	KindHello: parse[Hello], KindOpen: parse[Open], KindPlay: parse[Play], KindLimit: parse[Limit], KindHalt: parse[Halt],
	KindSet: parse[Set], KindKeyFrame: parse[KeyFrame], KindMeasure: parse[Measure], KindStop: parse[Stop], KindLoad: parse[Load],
	KindReply: parseReply, KindInit: parse[Init], KindPacket: parsePacket, KindCue: parse[Cue],
	KindProgress: parse[Progress], KindEnded: parse[Ended], KindStats: parse[Stats], KindWarning: parse[Warning],
	KindPrepare: parse[Prepare], KindTranscode: parse[Transcode], KindRelay: parse[Relay], KindWritten: parse[Written],
}

// Message is what a frame holds: one of the types of messages.go.
type Message interface {
	Kind() Kind
	// encode appends the payload to the head of a frame; what of it is data of the
	// message's own is returned apart, and follows.
	encode(head []byte) (frame, data []byte, err error)
}

// Kind implements Message.
func (Hello) Kind() Kind { return KindHello }

// Kind implements Message.
func (Load) Kind() Kind { return KindLoad }

// Kind implements Message.
func (Open) Kind() Kind { return KindOpen }

// Kind implements Message.
func (Play) Kind() Kind { return KindPlay }

// Kind implements Message.
func (Limit) Kind() Kind { return KindLimit }

// Kind implements Message.
func (Halt) Kind() Kind { return KindHalt }

// Kind implements Message.
func (Set) Kind() Kind { return KindSet }

// Kind implements Message.
func (KeyFrame) Kind() Kind { return KindKeyFrame }

// Kind implements Message.
func (Measure) Kind() Kind { return KindMeasure }

// Kind implements Message.
func (Stop) Kind() Kind { return KindStop }

// Kind implements Message.
func (Reply) Kind() Kind { return KindReply }

// Kind implements Message.
func (Init) Kind() Kind { return KindInit }

// Kind implements Message.
func (Packet) Kind() Kind { return KindPacket }

// Kind implements Message.
func (Cue) Kind() Kind { return KindCue }

// Kind implements Message.
func (Progress) Kind() Kind { return KindProgress }

// Kind implements Message.
func (Ended) Kind() Kind { return KindEnded }

// Kind implements Message.
func (Prepare) Kind() Kind { return KindPrepare }

// Kind implements Message.
func (Transcode) Kind() Kind { return KindTranscode }

// Kind implements Message.
func (Relay) Kind() Kind { return KindRelay }

// Kind implements Message.
func (Written) Kind() Kind { return KindWritten }

// Kind implements Message.
func (Stats) Kind() Kind { return KindStats }

// Kind implements Message.
func (Warning) Kind() Kind { return KindWarning }

func (m Hello) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Load) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Open) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Play) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Limit) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Halt) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Set) encode(head []byte) ([]byte, []byte, error)       { return encodeJSON(head, m) }
func (m KeyFrame) encode(head []byte) ([]byte, []byte, error)  { return encodeJSON(head, m) }
func (m Measure) encode(head []byte) ([]byte, []byte, error)   { return encodeJSON(head, m) }
func (m Stop) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Reply) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Init) encode(head []byte) ([]byte, []byte, error)      { return encodeJSON(head, m) }
func (m Cue) encode(head []byte) ([]byte, []byte, error)       { return encodeJSON(head, m) }
func (m Progress) encode(head []byte) ([]byte, []byte, error)  { return encodeJSON(head, m) }
func (m Ended) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Stats) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Warning) encode(head []byte) ([]byte, []byte, error)   { return encodeJSON(head, m) }
func (m Prepare) encode(head []byte) ([]byte, []byte, error)   { return encodeJSON(head, m) }
func (m Transcode) encode(head []byte) ([]byte, []byte, error) { return encodeJSON(head, m) }
func (m Relay) encode(head []byte) ([]byte, []byte, error)     { return encodeJSON(head, m) }
func (m Written) encode(head []byte) ([]byte, []byte, error)   { return encodeJSON(head, m) }

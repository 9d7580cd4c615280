package wire

import "fmt"

// What a worker may tell of a film. It leaves out what is more, and says so; a server takes no more.
const (
	MaxAudio = 64
	MaxText  = 256
	MaxPlan  = 256 // sentences
)

// said bounds the payloads of what a worker says, in bytes, since a server takes in what workers say that were taken over
// by their media: its JSON needs many times its size. Other messages have up to MaxPayload.
var said = map[Kind]int{
	KindHello: 4 << 10,
	// All that a film may have, with titles and sentences of some hundred bytes.
	KindReply: 2 << 20,
	// An avcC has at most 64 KiB, which are 88 in base64.
	KindInit: 128 << 10,
	// 8 KiB of text, where each byte may be an entity and escaped.
	KindCue:   256 << 10,
	KindStats: 64 << 10, // a run for each track, of some 50 bytes
	KindEnded: 64 << 10, KindWarning: 64 << 10, KindProgress: 4 << 10, KindWritten: 4 << 10,
}

// largest returns the most bytes that a kind's payload may have.
func (k Kind) largest() int {
	if n, ok := said[k]; ok {
		return n
	}
	return MaxPayload
}

// parseReply reads a Reply, and refuses one that tells of more than a worker of ours does.
func parseReply(payload []byte) (Message, error) {
	m, err := parse[Reply](payload)
	if err != nil {
		return nil, err
	}
	r, _ := m.(Reply)
	audio, text, plan := 0, 0, 0
	if r.Opened != nil {
		audio, text, plan = len(r.Opened.Audio), len(r.Opened.Text), len(r.Opened.Plan)
	}
	if r.Prepared != nil {
		plan = max(plan, len(r.Prepared.Plan))
	}
	if audio > MaxAudio || text > MaxText || plan > MaxPlan {
		return nil, fmt.Errorf("%d tracks of sound, %d of text, and %d sentences", audio, text, plan)
	}
	return r, nil
}

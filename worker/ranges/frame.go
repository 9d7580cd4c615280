package ranges

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Version of the format.
const Version = 1

// MaxLength bounds one range in bytes.
const MaxLength = 1 << 20

// MaxInFlight bounds the requests of one connection that wait for a reply.
const MaxInFlight = 8

// ErrProtocol is wrapped by errors of a peer that does not keep to the format.
var ErrProtocol = errors.New("protocol of ranges violated")

const (
	requestBytes = 20
	replyBytes   = 12
	maxError     = 4 << 10
	maxText      = 1 << 10 // of each text in an error, so that its JSON keeps to maxError
)

// status says what the body of a reply is.
type status uint8

const (
	statusData  status = 0
	statusError status = 1
)

// request asks for a range.
type request struct {
	id     uint32
	offset int64
	length uint32
}

func (q request) encode() []byte {
	b := make([]byte, 0, requestBytes)
	b = append(b, Version, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, q.id)
	b = binary.BigEndian.AppendUint64(b, uint64(q.offset))
	return binary.BigEndian.AppendUint32(b, q.length)
}

// readRequest reads a request for a range of a film of size bytes. It returns
// io.EOF where the stream ends between two.
func readRequest(r io.Reader, size int64) (request, error) {
	var b [requestBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return request{}, broken(err)
	}
	if b[0] != Version || b[1] != 0 || b[2] != 0 || b[3] != 0 {
		return request{}, fmt.Errorf("%w: request begins % x", ErrProtocol, b[:4])
	}
	q := request{
		id:     binary.BigEndian.Uint32(b[4:]),
		offset: int64(binary.BigEndian.Uint64(b[8:])),
		length: binary.BigEndian.Uint32(b[16:]),
	}
	switch {
	case q.length == 0 || q.length > MaxLength:
		return request{}, fmt.Errorf("%w: %d bytes asked for at once", ErrProtocol, q.length)
	case q.offset < 0 || q.offset > size-int64(q.length):
		return request{}, fmt.Errorf("%w: %d bytes at %d of %d", ErrProtocol, q.length, q.offset, size)
	}
	return q, nil
}

// replyHead comes before the body of a reply.
type replyHead struct {
	status status
	id     uint32
	length uint32
}

func (h replyHead) put(b []byte) {
	b[0], b[1], b[2], b[3] = Version, byte(h.status), 0, 0
	binary.BigEndian.PutUint32(b[4:], h.id)
	binary.BigEndian.PutUint32(b[8:], h.length)
}

// readReplyHead returns io.EOF where the stream ends between two replies.
func readReplyHead(r io.Reader) (replyHead, error) {
	var b [replyBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return replyHead{}, broken(err)
	}
	h := replyHead{status: status(b[1]), id: binary.BigEndian.Uint32(b[4:]), length: binary.BigEndian.Uint32(b[8:])}
	if b[0] != Version || h.status > statusError || b[2] != 0 || b[3] != 0 {
		return replyHead{}, fmt.Errorf("%w: reply begins % x", ErrProtocol, b[:4])
	}
	if h.length > MaxLength || h.status == statusError && h.length > maxError {
		return replyHead{}, fmt.Errorf("%w: reply of %d bytes", ErrProtocol, h.length)
	}
	return h, nil
}

// broken tells an end within a frame from one between two.
func broken(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: a frame breaks off", ErrProtocol)
	}
	return err
}

// encodeError returns the body that tells of err: what a wire.Error in its chain
// says, else that the film could not be read. What is no wire.Error may hold what
// a worker is not to know.
func encodeError(err error) []byte {
	told := wire.Error{Code: "source_unreadable", Sentence: "the film could not be read; see the server's log"}
	var said *wire.Error
	if errors.As(err, &said) {
		told = wire.Error{Code: short(said.Code), Sentence: short(said.Sentence), Detail: short(said.Detail)}
	}
	body, err := json.Marshal(told)
	if err != nil || len(body) > maxError {
		// Texts that JSON makes several times as long.
		body, _ = json.Marshal(wire.Error{Code: "source_unreadable", Sentence: "the film could not be read"})
	}
	return body
}

// short cuts a text to maxText bytes.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	text = text[:maxText]
	for !utf8.ValidString(text) && len(text) > maxText-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text
}

func decodeError(body []byte) (*wire.Error, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var told wire.Error
	if err := d.Decode(&told); err != nil {
		return nil, fmt.Errorf("%w: error: %w", ErrProtocol, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || told.Code == "" || told.Sentence == "" {
		return nil, fmt.Errorf("%w: error without a code and a sentence", ErrProtocol)
	}
	return &told, nil
}

package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Version of the framing and of the messages.
const Version = 1

// MaxPayload bounds a payload in bytes. A key frame of 8K at the quality of a
// session has about 4 MiB.
const MaxPayload = 16 << 20

const (
	headBytes   = 8
	packetBytes = 32
)

// ErrProtocol is wrapped by errors of a peer that does not keep to the format.
var ErrProtocol = errors.New("worker protocol violated")

// Conn frames messages on a stream.
type Conn struct {
	in *bufio.Reader

	mu  sync.Mutex
	out io.Writer // guarded by mu
}

// NewConn returns a Conn over a stream that blocks.
func NewConn(rw io.ReadWriter) *Conn {
	return &Conn{in: bufio.NewReaderSize(rw, 256<<10), out: rw}
}

// Write sends a message. It blocks while the peer does not read. Errors are the
// stream's, or wrap ErrProtocol where the message is too large.
func (c *Conn) Write(m Message) error {
	b := make([]byte, headBytes, 512)
	b, err := m.append(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if len(b)-headBytes > MaxPayload {
		return fmt.Errorf("%w: %s of %d bytes", ErrProtocol, m.Kind(), len(b)-headBytes)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-headBytes)) //nolint:gosec // bounded above
	b[4] = byte(m.Kind())
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.out.Write(b)
	return err
}

// Read returns the next message. The data of a Packet belongs to the caller. It
// returns io.EOF where the stream ends between two frames; other errors are the
// stream's or wrap ErrProtocol.
func (c *Conn) Read() (Message, error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: a frame breaks off", ErrProtocol)
		}
		return nil, err
	}
	length, kind := binary.BigEndian.Uint32(head[:]), Kind(head[4])
	if length > MaxPayload || head[5] != 0 || head[6] != 0 || head[7] != 0 {
		return nil, fmt.Errorf("%w: bad head % x", ErrProtocol, head)
	}
	make, known := kinds[kind]
	if !known {
		return nil, fmt.Errorf("%w: unknown kind %d", ErrProtocol, kind)
	}
	// Grown as it comes: a head alone must not make anybody reserve MaxPayload.
	var payload bytes.Buffer
	if n, err := io.CopyN(&payload, c.in, int64(length)); err != nil {
		return nil, fmt.Errorf("%w: %s breaks off at %d of %d bytes", ErrProtocol, kind, n, length)
	}
	m, err := make(payload.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProtocol, kind, err)
	}
	return m, nil
}

// appendJSON appends m's JSON.
func appendJSON(b []byte, m any) ([]byte, error) {
	j, err := json.Marshal(m)
	return append(b, j...), err
}

// parse reads a payload of JSON strictly.
func parse[M Message](payload []byte) (Message, error) {
	var m M
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return m, nil
}

// append appends the payload of a packet.
func (p Packet) append(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint32(b, p.Run)
	flags := byte(0)
	if p.Key {
		flags = 1
	}
	b = append(b, flags, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(p.PTS))      //nolint:gosec // two's complement, as read
	b = binary.BigEndian.AppendUint64(b, uint64(p.DTS))      //nolint:gosec // two's complement, as read
	b = binary.BigEndian.AppendUint64(b, uint64(p.Duration)) //nolint:gosec // two's complement, as read
	return append(b, p.Data...), nil
}

func parsePacket(b []byte) (Message, error) {
	if len(b) < packetBytes || b[4] > 1 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return nil, errors.New("bad head of a packet")
	}
	return Packet{
		Run:      binary.BigEndian.Uint32(b),
		Key:      b[4] == 1,
		PTS:      int64(binary.BigEndian.Uint64(b[8:])),  //nolint:gosec // two's complement, as written
		DTS:      int64(binary.BigEndian.Uint64(b[16:])), //nolint:gosec // two's complement, as written
		Duration: int64(binary.BigEndian.Uint64(b[24:])), //nolint:gosec // two's complement, as written
		Data:     b[packetBytes:],
	}, nil
}

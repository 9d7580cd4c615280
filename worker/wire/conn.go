package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// Version of the framing and of the messages.
const Version = 2

// MaxPayload bounds a payload in bytes. A key frame of 8K at the quality of a
// session has about 4 MiB.
const MaxPayload = 16 << 20

const (
	headBytes   = 8
	packetBytes = 32
)

// ErrProtocol is wrapped by errors of a peer that does not keep to the format.
var ErrProtocol = errors.New("worker protocol violated")

// Sizes of buffers, in bytes.
const (
	// readAhead gathers small frames. A packet that is larger is read to where it
	// stays, past the buffer.
	readAhead = 8 << 10
	// trusted is reserved for a payload on the word of its head alone. A larger one
	// grows as it comes.
	trusted = 1 << 20
)

// Conn frames messages on a stream.
type Conn struct {
	in *bufio.Reader

	mu  sync.Mutex
	out io.Writer // guarded by mu
}

// NewConn returns a Conn over a stream that blocks.
func NewConn(rw io.ReadWriter) *Conn {
	return &Conn{in: bufio.NewReaderSize(rw, readAhead), out: rw}
}

// Write sends a message. It blocks while the peer does not read. Errors are the
// stream's, after which part of a frame may be sent and the connection is of no
// more use, or wrap ErrProtocol where the message cannot be sent.
func (c *Conn) Write(m Message) error {
	head, data, err := encode(m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(data) == 0 {
		_, err = c.out.Write(head)
		return err
	}
	frame := net.Buffers{head, data} // one writev(2) on a socket
	_, err = frame.WriteTo(c.out)
	return err
}

// encode returns a frame, whose data, if there is any, is the message's own.
func encode(m Message) (head, data []byte, err error) {
	head = make([]byte, headBytes, 512)
	if head, data, err = m.encode(head); err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrProtocol, m.Kind(), err)
	}
	length := len(head) - headBytes + len(data)
	if length > m.Kind().largest() {
		return nil, nil, fmt.Errorf("%w: %s of %d bytes", ErrProtocol, m.Kind(), length)
	}
	binary.BigEndian.PutUint32(head, uint32(length))
	head[4] = byte(m.Kind())
	return head, data, nil
}

// Read returns the next message. The data of a Packet belongs to the caller. It
// returns io.EOF where the stream ends between two frames; where it ends within
// one the error wraps io.ErrUnexpectedEOF and ErrProtocol. Others are the stream's
// or wrap ErrProtocol. After any error the connection is of no more use.
func (c *Conn) Read() (Message, error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: a head breaks off: %w", ErrProtocol, err)
		}
		return nil, err
	}
	length, kind := binary.BigEndian.Uint32(head[:]), Kind(head[4])
	if length > MaxPayload || head[5] != 0 || head[6] != 0 || head[7] != 0 {
		return nil, fmt.Errorf("%w: bad head % x", ErrProtocol, head)
	}
	parse, known := kinds[kind]
	if !known {
		return nil, fmt.Errorf("%w: unknown kind %d", ErrProtocol, kind)
	}
	if int(length) > kind.largest() {
		return nil, fmt.Errorf("%w: %s of %d bytes", ErrProtocol, kind, length)
	}
	payload, err := c.payload(int(length))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: %s of %d bytes breaks off: %w", ErrProtocol, kind, length, err)
	case err != nil:
		return nil, err
	}
	m, err := parse(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProtocol, kind, err)
	}
	return m, nil
}

// payload reads a payload.
func (c *Conn) payload(length int) ([]byte, error) {
	b := make([]byte, 0, min(length, trusted))
	for len(b) < length {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(length-len(b), len(b)))
		}
		n, err := io.ReadFull(c.in, b[len(b):min(cap(b), length)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// encodeJSON appends m's JSON to a head.
func encodeJSON(head []byte, m any) ([]byte, []byte, error) {
	j, err := json.Marshal(m)
	return append(head, j...), nil, err
}

// parse reads a payload of JSON strictly.
func parse[M Message](payload []byte) (Message, error) {
	var m M
	d := json.NewDecoder(bytes.NewReader(payload))
	if m.Kind() != KindHello { // which has to be understood to be refused
		d.DisallowUnknownFields()
	}
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return m, nil
}

// encode appends the packet's head to the frame's. The data stays where it is.
func (p Packet) encode(b []byte) ([]byte, []byte, error) {
	b = binary.BigEndian.AppendUint32(b, p.Run)
	flags := byte(0)
	if p.Key {
		flags = 1
	}
	b = append(b, flags, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(p.PTS)) // two's complement, here and below
	b = binary.BigEndian.AppendUint64(b, uint64(p.DTS))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Duration))
	return b, p.Data, nil
}

func parsePacket(b []byte) (Message, error) {
	if len(b) < packetBytes || b[4] > 1 || b[5] != 0 || b[6] != 0 || b[7] != 0 {
		return nil, errors.New("bad head of a packet")
	}
	return Packet{
		Run:      binary.BigEndian.Uint32(b),
		Key:      b[4] == 1,
		PTS:      int64(binary.BigEndian.Uint64(b[8:])),
		DTS:      int64(binary.BigEndian.Uint64(b[16:])),
		Duration: int64(binary.BigEndian.Uint64(b[24:])),
		Data:     b[packetBytes:],
	}, nil
}

package server

import (
	"net"
	"sync"
)

// limited is a listener with at most so many connections at a time; further ones
// wait in the kernel's queue.
type limited struct {
	net.Listener
	places chan struct{} // has one for each connection
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, connections int) *limited {
	return &limited{Listener: l, places: make(chan struct{}, connections), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &place{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// place is a connection that counts.
type place struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (p *place) Close() error {
	defer p.leave()
	return p.Conn.Close()
}

// NetConn returns the connection itself.
func (p *place) NetConn() net.Conn { return p.Conn }

// CloseWrite lets net/http tell a client why it is hung up on: without it what the
// client is still sending would have the answer thrown away.
func (p *place) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

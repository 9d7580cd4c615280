package ingest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// TestQueueDropsGroups puts more than is taken.
func TestQueueDropsGroups(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for i := range 200 { // 8 s, a key picture each second
		at := time.Duration(i) * 40 * ms
		q.put(unit{at: at, picture: true, key: i%25 == 0, data: []byte{byte(i)}})
		q.put(unit{at: at, data: []byte{0}})
	}
	first, err := q.take(t.Context())
	if err != nil || !first.key || first.at != 3*time.Second {
		t.Errorf("after 8 s the first is %+v, %v", first, err)
	}
	if got := q.count(); got != (Dropped{Groups: 3, Pictures: 75}) {
		t.Errorf("dropped %+v", got)
	}
}

// TestQueueWithoutKeys drops a group that is longer than the queue, and goes on with the next.
func TestQueueWithoutKeys(t *testing.T) {
	t.Parallel()
	q := newQueue()
	q.put(unit{picture: true, key: true})
	for i := range 10 {
		q.put(unit{at: time.Duration(i+1) * time.Second, picture: true})
	}
	q.put(unit{at: 11 * time.Second})
	q.put(unit{at: 11 * time.Second, picture: true, key: true, data: []byte{7}})
	q.end(io.EOF)
	if u, err := q.take(t.Context()); err != nil || u.at != 11*time.Second || !u.key {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := q.take(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if got := q.count(); got != (Dropped{Groups: 1, Pictures: 11}) {
		t.Errorf("dropped %+v", got)
	}
}

// TestQueueIsBounded holds the bytes of large pictures.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for i := range 100 {
		q.put(unit{at: time.Duration(i) * ms, picture: true, key: i%10 == 0, data: make([]byte, 1<<20)})
		if q.bytes > queueBytes {
			t.Fatalf("%d bytes wait", q.bytes)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range len(q.units) {
		if _, err := q.take(ctx); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := q.take(ctx); !errors.Is(err, context.Canceled) || q.bytes != 0 {
		t.Errorf("%v, %d bytes", err, q.bytes)
	}
}

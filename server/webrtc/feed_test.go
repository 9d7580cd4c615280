package webrtc

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// pictureVP8 returns the begin of a picture of VP8, which is all that is looked at.
func pictureVP8(key bool, width byte) picture {
	data := []byte{1, 0, 0, 0x9d, 0x01, 0x2a, width, 0, 48, 0}
	if key {
		data[0] = 0
	}
	return picture{key: key, data: data}
}

func TestFeedEndsWithItsPicture(t *testing.T) {
	format := inbound[webrtc.MimeTypeVP8]
	f := newFeed()
	for i, p := range []picture{pictureVP8(false, 64), pictureVP8(true, 64), pictureVP8(false, 64), pictureVP8(true, 64), pictureVP8(true, 32)} {
		if !f.push(fed{picture: p, format: &format, at: time.Duration(i) * 40 * time.Millisecond}) {
			t.Fatal("there is no room")
		}
	}
	var out bytes.Buffer
	if err := f.write(t.Context(), &out); !errors.Is(err, errSize) {
		t.Error(err)
	}
	if n := bytes.Count(out.Bytes(), []byte{0x9d, 0x01, 0x2a}); n != 3 {
		t.Errorf("%d pictures were written", n)
	}
}

// TestFeedKeepsTheNewest feeds a worker that does not read: nothing waits for it.
func TestFeedKeepsTheNewest(t *testing.T) {
	f := newFeed()
	for range waiting {
		if !f.push(fed{picture: pictureVP8(true, 64)}) {
			t.Fatal("there is no room")
		}
	}
	if f.push(fed{picture: pictureVP8(false, 64)}) || len(f.pictures) != 0 {
		t.Errorf("%d pictures wait", len(f.pictures))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errClosed)
	if err := f.write(ctx, new(bytes.Buffer)); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

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

// TestFeedGoesOnInAnotherSize feeds pictures that change their size, which they tell themselves, and then their codec.
func TestFeedGoesOnInAnotherSize(t *testing.T) {
	vp8, h264 := inbound[webrtc.MimeTypeVP8], inbound[webrtc.MimeTypeH264]
	f := newFeed()
	all := []fed{{picture: pictureVP8(false, 64), format: &vp8}} // before the first key frame
	for _, width := range []byte{64, 32, 64} {
		all = append(all, fed{picture: pictureVP8(true, width), format: &vp8}, fed{picture: pictureVP8(false, width), format: &vp8})
	}
	all = append(all, fed{picture: picture{key: true, data: filmH264(t, "160x96", "0.1")[0].Data}, format: &h264})
	for i, p := range all {
		p.at = time.Duration(i) * 40 * time.Millisecond
		if !f.push(p) {
			t.Fatal("there is no room")
		}
	}
	var out bytes.Buffer
	if err := f.write(t.Context(), &out); !errors.Is(err, errCodec) {
		t.Error(err)
	}
	if n := bytes.Count(out.Bytes(), []byte{0x9d, 0x01, 0x2a}); n != 6 {
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

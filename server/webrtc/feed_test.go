package webrtc

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/matroska"
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

// hostile is a key frame whose parameter set announces a cycle of 2^47 pictures.
var hostile = []byte{
	0, 0, 0, 19, 0x67, 0x42, 0, 0x1f, 0xd7, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0, 0, 0, 2, 0x68, 1, 0, 0, 0, 2, 0x65, 1,
}

// TestFeedEndsAtAHostileKeyFrame feeds what no reader may believe: the feed ends, and nothing is written.
func TestFeedEndsAtAHostileKeyFrame(t *testing.T) {
	h264 := inbound[webrtc.MimeTypeH264]
	f := newFeed()
	f.push(fed{picture: picture{key: h264.key(hostile), data: hostile}, format: &h264})
	var out bytes.Buffer
	if err := f.write(t.Context(), &out); !errors.Is(err, matroska.ErrTrack) || out.Len() > 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
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
	if n := f.figures().Pictures; n != waiting+1 {
		t.Errorf("%d pictures are counted as dropped", n)
	}
	large, fit := picture{key: true, data: make([]byte, maxPicture)}, 0
	for f.push(fed{picture: large}) {
		fit++
	}
	if fit*maxPicture != waitingBytes || len(f.pictures) != 0 || !f.push(fed{picture: large}) {
		t.Errorf("%d of the largest pictures fit", fit)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errClosed)
	if err := newFeed().write(ctx, new(bytes.Buffer)); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

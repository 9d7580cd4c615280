package client

import (
	"errors"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

const (
	// window is how many pictures of a result a trail knows.
	window = 4 * reordered
	// behind is how many pictures at least are made once more where a result is taken up.
	behind = 2 * reordered
	// reordered is how many pictures may come between one and its place in the order of
	// showing: H.264 and HEVC keep 16.
	reordered = 16
	// maxHeld bounds what is kept of a result in memory, in bytes.
	maxHeld = 64 << 20
	// cues is how many subtitles a trail knows: those that may be on the screen at a cut.
	cues = 64
	// maxCue bounds the length of one that it knows, in bytes.
	maxCue = maxHeld / cues
)

// weight is what a block takes of the memory, in bytes, or more.
func weight(b matroska.Block) int { return len(b.Raw) + 256 }

// trail knows the head of a result that is being written, and what was written of it
// last.
type trail struct {
	head     matroska.Head
	picture  uint64           // number of its track
	words    map[uint64]bool  // numbers of the tracks of subtitles
	blocks   []matroska.Block // the last ones; of pictures without their data
	shown    int              // pictures among them
	held     int              // bytes of memory that they take
	pictures int64            // of the result
	latest   int64            // ticks; of the pictures in front of blocks, −1 without any
	cues     []matroska.Block // the last ones, whether in blocks or not
}

// newTrail returns the trail of a result with a head, of which nothing was written.
func newTrail(head matroska.Head) (*trail, error) {
	t := &trail{head: head, words: map[uint64]bool{}, latest: -1}
	for _, track := range head.Tracks {
		switch {
		case track.Kind == matroska.Video && t.picture == 0:
			t.picture = track.Number
		case track.Kind == matroska.Subtitle:
			t.words[track.Number] = true
		case track.Kind != matroska.Sound:
			return nil, errors.New("it has more than one track of pictures, or tracks of another kind")
		}
	}
	if t.picture == 0 {
		return nil, errors.New("it has no pictures")
	}
	return t, nil
}

// add takes a block that was written.
func (t *trail) add(b matroska.Block) {
	if b.Track == t.picture {
		b.Raw, b.Data = nil, nil
		t.pictures++
		t.shown++
	}
	if t.words[b.Track] && len(b.Raw) <= maxCue {
		t.cues = append(t.cues, b)
		t.cues = slices.Delete(t.cues, 0, max(0, len(t.cues)-cues))
	}
	t.blocks = append(t.blocks, b)
	t.held += weight(b)
	gone, bound := 0, maxHeld
	if t.held > maxHeld {
		bound /= 2 // and not one block each time
	}
	for t.shown > window || t.held > bound {
		t.held -= weight(t.blocks[gone])
		if t.blocks[gone].Track == t.picture {
			t.shown--
			t.latest = max(t.latest, t.blocks[gone].At)
		}
		gone++
	}
	t.blocks = slices.Delete(t.blocks, 0, gone)
}

// cut is a place in a result from which on it can be made anew: no picture in front of it
// is shown later than one behind it.
type cut struct {
	*trail
	offset int64            // of the result, bytes that stay
	kept   int64            // pictures in them
	first  int64            // ticks; of the first picture behind them
	start  int64            // ticks; a time at which that picture is seen
	sure   int64            // ticks; of the pictures in front of that all have come
	tail   []matroska.Block // that came behind it
}

// cut returns the last place with enough behind it to prove that what is made anew is
// the same.
func (t *trail) cut() (*cut, error) {
	latest := make([]int64, len(t.blocks)) // of the pictures in front of a block
	most := t.latest
	for i, b := range t.blocks {
		latest[i] = most
		if b.Track == t.picture {
			most = max(most, b.At)
		}
	}
	var times []int64
	for i, b := range slices.Backward(t.blocks) {
		if b.Track != t.picture {
			continue
		}
		times = append(times, b.At)
		if len(times) < behind || latest[i] < 0 || latest[i] >= slices.Min(times) {
			continue
		}
		c := &cut{trail: t, offset: b.Start, kept: t.pictures - int64(len(times)), sure: slices.Min(times[:reordered])}
		if c.place(times) {
			c.tail = slices.Clone(t.blocks[i:])
			return c, nil
		}
	}
	return nil, errors.New("too little of it had come")
}

// place says where what is made anew begins: within the first picture, for at its begin
// the one before may be seen as well. It reports whether pictures are far enough from one
// another for that.
func (c *cut) place(times []int64) bool {
	const (
		farther = 10 * time.Millisecond // behind its begin is far enough
		nearer  = 2 * time.Millisecond  // is too near for times that are rounded
	)
	times = slices.Sorted(slices.Values(times))
	c.first = times[0]
	c.start = c.first + min((times[1]-c.first)/2, int64(farther/c.head.Tick))
	return c.length(c.start-c.first) >= nearer
}

// length turns ticks into time.
func (t *trail) length(ticks int64) time.Duration { return time.Duration(ticks) * t.head.Tick }

// back forgets what lies behind a cut.
func (c *cut) back() *trail {
	t := c.trail
	t.pictures = c.kept
	t.cues = slices.DeleteFunc(t.cues, func(b matroska.Block) bool { return b.Start >= c.offset })
	t.blocks = t.blocks[:len(t.blocks)-len(c.tail)]
	t.shown, t.held = 0, 0
	for _, b := range t.blocks {
		t.held += weight(b)
		if b.Track == t.picture {
			t.shown++
		}
	}
	return t
}

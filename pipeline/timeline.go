package pipeline

import (
	"math/big"
	"time"
)

// Timeline is a film cut into segments of equal length. Times but for Origin are
// those of the film: 0 is its first picture.
type Timeline struct {
	Origin    time.Duration // stream time of GStreamer's at which the film begins
	End       time.Duration // of the film: of its picture, or of a sound that goes on for long
	Last      time.Duration // when the last picture begins
	Rate      Fraction      // frames a second, 0/1 when it varies
	TimeScale int64         // ticks a second
	Ticks     int64         // of a segment
	Frames    int           // of a segment, 0 when the rate varies
	Measured  bool          // the end was seen, not believed
}

// outlasts is how much longer than the picture a sound must be for the film to
// go on with it: less is the usual padding of a last packet.
const outlasts = time.Second

// Bounds of a frame rate that segments are counted by; what lies outside is a
// guess of a demuxer's or a field of a broken header.
const (
	leastRate = 1
	mostRate  = 300
)

// NewTimeline cuts a film into segments of about the wished length: a whole
// number of frames where the rate is constant.
func NewTimeline(m Media, x Extent, wish time.Duration) Timeline {
	t := Timeline{Origin: m.First, Rate: m.Video.Rate, Measured: x.Measured}
	if r := t.Rate.Float(); r < leastRate || r > mostRate {
		t.Rate = Fraction{0, 1}
	}
	t.cut(wish)
	t.reach(m, x)
	return t
}

// cut chooses the ticks. A frame is a whole number of them, and none is longer
// than a tenth of a millisecond.
func (t *Timeline) cut(wish time.Duration) {
	if t.Rate.Num == 0 {
		t.TimeScale = 90000 // as MPEG counts
		t.Ticks = int64(wish) * t.TimeScale / int64(time.Second)
		return
	}
	fine := int64(1)
	for int64(t.Rate.Num)*fine < 10000 {
		fine *= 10
	}
	t.TimeScale = int64(t.Rate.Num) * fine
	t.Frames = max(1, int(wish.Seconds()*t.Rate.Float()+0.5))
	t.Ticks = int64(t.Frames) * int64(t.Rate.Den) * fine
}

// reach finds the end.
func (t *Timeline) reach(m Media, x Extent) {
	frame := 40 * time.Millisecond
	if t.Rate.Num > 0 {
		frame = t.time(1, int64(t.Rate.Num), int64(t.Rate.Den))
	}
	video, ok := x.Streams[m.Video.StreamID]
	switch {
	case !ok:
		t.End = max(frame, m.length())
		t.Last = t.End - frame
	case !x.Measured:
		t.End = max(video.End-t.Origin, m.length(), frame)
		t.Last = t.End - frame
	default:
		t.Last = max(0, video.Last-t.Origin)
		t.End = max(t.Last+frame, video.End-t.Origin)
	}
	if t.Rate.Num > 0 { // a whole number of frames
		last := t.frames(t.Last)
		t.Last, t.End = t.time(last, int64(t.Rate.Num), int64(t.Rate.Den)), t.time(last+1, int64(t.Rate.Num), int64(t.Rate.Den))
	}
	for _, a := range m.Audio {
		if s, ok := x.Streams[a.StreamID]; ok && x.Measured && s.End-t.Origin > t.End+outlasts {
			t.End = s.End - t.Origin
		}
	}
	t.settle()
}

// leastRest is the shortest segment of a film with a varying rate.
const leastRest = time.Second / 50

// settle has the film end where the server reckons with it: with a whole frame,
// or where the rate varies without a segment of next to nothing.
func (t *Timeline) settle() {
	if t.Rate.Num > 0 {
		t.End = t.time(max(1, t.frames(t.End)), int64(t.Rate.Num), int64(t.Rate.Den))
		return
	}
	whole := t.InTicks(t.End) / t.Ticks
	if rest := t.End - t.Begin(int(whole)); whole > 0 && rest < leastRest {
		t.End = t.Begin(int(whole))
	}
}

// frames returns how many frames lie before a time, rounded.
func (t *Timeline) frames(at time.Duration) int64 {
	return mulDiv(int64(at), int64(t.Rate.Num), int64(t.Rate.Den)*int64(time.Second))
}

// time returns n × den ÷ num seconds, rounded.
func (t *Timeline) time(n, num, den int64) time.Duration {
	return time.Duration(mulDiv(n*den, int64(time.Second), num))
}

// Begin returns when segment k begins, rounded to a nanosecond.
func (t Timeline) Begin(k int) time.Duration {
	return time.Duration(mulDiv(int64(k)*t.Ticks, int64(time.Second), t.TimeScale))
}

// InTicks returns a time in ticks, rounded.
func (t Timeline) InTicks(at time.Duration) int64 {
	return mulDiv(int64(at), t.TimeScale, int64(time.Second))
}

// mulDiv returns a × b ÷ c, rounded half up, without overflow on the way. a may
// be negative, b and c are positive.
func mulDiv(a, b, c int64) int64 {
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	x.Add(x.Lsh(x, 1), big.NewInt(c))
	return x.Div(x, new(big.Int).Lsh(big.NewInt(c), 1)).Int64() // Euclidean: rounds down
}

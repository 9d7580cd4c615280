package testmedia

import (
	"fmt"
	"math"

	"golang.org/x/image/font/gofont/gobold"
)

// counted is the scene of a Counted clip: the number of each frame as a code
// and as digits, a moving bar and a circle, and marks at the whole seconds.
type counted struct {
	clip    *Clip
	code    codeInks
	digits  *glyphs
	plain   []ink // the background of each line
	bar     ink
	circle  ink
	flash   ink
	flashes int // frames that a flash lasts
}

// Mark lengths. A beep ends well before the next; a flash of two frames
// survives a decoder or a filter that loses or repeats one.
const (
	flashFrames  = 2
	beepSamples  = SampleRate / 10
	beepHz       = 1000
	beepLoudness = 0.5
)

// NewCounted returns a clip whose frames carry their numbers. At each whole
// second, from 0 on, a white flash begins with the first frame that is not
// before it, and a beep of 1 kHz with the first sample that is not before that
// frame: both at once to within a sample, whatever the frame rate. Frame i
// carries the number i modulo 65536.
func NewCounted(s Spec) (*Clip, error) {
	c, err := newClip(s)
	if err != nil {
		return nil, err
	}
	face, err := newFace(gobold.TTF, float64(c.Height)/5)
	if err != nil {
		return nil, err
	}
	v := &c.canvas
	scene := &counted{
		clip: c, digits: newGlyphs(face, "0123456789"),
		code: codeInks{zero: v.grey(0), one: v.grey(1), margin: v.grey(0.35)},
		bar:  v.ink(0.85, 0.75, 0.1), circle: v.ink(0.2, 0.6, 0.75), flash: v.grey(1),
		flashes: flashFrames,
	}
	for y := range c.Height {
		t := float64(y) / float64(c.Height)
		scene.plain = append(scene.plain, v.ink(0.12+0.1*t, 0.16+0.08*t, 0.28-0.1*t))
	}
	c.scene = scene
	return c, nil
}

// Marks returns the times of the whole seconds at which the clip flashes and
// beeps: those of the frames that the flashes begin with.
func (c *Clip) Marks() []Mark {
	var marks []Mark
	for s := 0; ; s++ {
		i := c.marked(s)
		if i >= c.Frames {
			return marks
		}
		marks = append(marks, Mark{Frame: i, PTS: c.PTS(i), Sample: c.onset(i)})
	}
}

// marked returns the first frame that is not before second s.
func (c *Clip) marked(s int) int { return (s*c.Rate.Num + c.Rate.Den - 1) / c.Rate.Den }

// second returns the second that frame i is in, by the frames of marked.
func (c *Clip) second(i int) int { return i * c.Rate.Den / c.Rate.Num }

func (s *counted) draw(v *canvas, i int, moment float64) {
	lit := i-s.clip.marked(s.clip.second(i)) < s.flashes
	for y := range v.height {
		k := s.plain[y]
		if lit {
			k = s.flash
		}
		row := v.row(y)
		for x := range row {
			row[x] = k
		}
	}
	if !lit {
		s.drawMotion(v, moment)
	}
	text := fmt.Sprintf("%05d", i&0xffff)
	width := s.digits.width(text)
	x, y := v.width/2-width/2, v.height*5/8
	v.fill(x-8, y-s.digits.ascent-4, x+width+8, y+s.digits.ascent/4, s.code.zero)
	s.digits.draw(v, x, y, text, s.code.one)
	// Last, so that it is whole where a small picture has no room for both.
	drawCode(v, s.code, uint16(i&0xffff))
}

// drawMotion draws a circle that turns a spoke once a second, and a bar that
// crosses the picture in two seconds. The two fields of an interlaced frame
// have them at different places, so weaving fields shows as a comb.
func (s *counted) drawMotion(v *canvas, moment float64) {
	seconds := moment * float64(s.clip.Rate.Den) / float64(s.clip.Rate.Num)
	w, h := float64(v.width), float64(v.height)
	aspect := float64(s.clip.PixelAspect.Num) / float64(s.clip.PixelAspect.Den)
	r := h / 6
	cx, cy := w-1.4*r/aspect, 1.4*r
	v.shade(cx, cy, r/aspect, r, func(x, y float64) (ink, int) {
		return s.circle, int(opaque * coverage(r-math.Hypot(x*aspect, y)))
	})
	sin, cos := math.Sincos(2 * math.Pi * seconds)
	v.line(cx, cy, cx+0.9*r*cos/aspect, cy+0.9*r*sin, max(h/120, 2), s.bar)
	_, phase := math.Modf(seconds / 2)
	at, half := phase*w, w/80
	for x := int(at - half - 1); x <= int(at+half+1); x++ {
		alpha := int(opaque * coverage(half-math.Abs(float64(x)+0.5-at)))
		for y := v.height * 7 / 10; y < v.height*17/20; y++ {
			v.blend(x, y, s.bar, alpha)
		}
	}
}

func (s *counted) sample(at int64) (left, right float64) {
	// A beep belongs to the last mark whose sample has come.
	second := int(at / SampleRate)
	start := s.clip.onset(s.clip.marked(second))
	if at < start && second > 0 {
		start = s.clip.onset(s.clip.marked(second - 1))
	}
	n := at - start
	if n < 0 || n >= beepSamples {
		return 0, 0
	}
	v := beepLoudness * math.Sin(2*math.Pi*beepHz*float64(n)/SampleRate)
	return v, v
}

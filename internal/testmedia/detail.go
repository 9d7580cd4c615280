package testmedia

import "math"

// detail is the scene of a Detail clip. Everything that does not change is
// drawn once; each frame copies the landscape and lays the moving parts over
// it, back to front.
type detail struct {
	unit   float64 // pixels per 1/720 of the height
	land   canvas  // wider than the picture by span
	span   int
	parts  []part
	melody melody
}

// part is one thing in the scene, drawn for a moment given in seconds. frame
// counts whole frames, for what moves in whole pixels.
type part interface {
	draw(v *canvas, frame int, seconds float64)
}

// NewDetail returns a clip of a landscape with foliage, a wheel of thin
// spokes, wires, balloons, moving text at several sizes, a Siemens star, a
// rotating zone plate and colour patches, with soft tones and a tick each
// second. Nothing in it is finer than the full-size picture can carry.
func NewDetail(s Spec) (*Clip, error) {
	c, err := newClip(s)
	if err != nil {
		return nil, err
	}
	v := &c.canvas
	u := float64(c.Height) / 720
	d := &detail{unit: u, span: c.Width / 8}
	d.land = v.sized(c.Width+d.span, c.Height)
	drawLand(&d.land, u)
	w, h := float64(c.Width), float64(c.Height)
	poster, err := newPoster(v, int(0.695*w), int(0.06*h), int(0.285*w), int(0.47*h), u)
	if err != nil {
		return nil, err
	}
	ticker, err := newTicker(v, u)
	if err != nil {
		return nil, err
	}
	d.parts = []part{
		newBalloon(v, 0.585*w, 0.13*h, 46*u, 0, u), newBalloon(v, 0.40*w, 0.10*h, 26*u, 3, u),
		newWires(v, u),
		newWheel(v, 0.475*w, 0.47*h, 125*u, u),
		newChart(v, 0.33*w, 0.745*h, 120*u, 70*u),
		newStar(v, 0.575*w, 0.79*h, 88*u),
		newZonePlate(v, 0.80*w, 0.755*h, 112*u),
		poster,
		newTree(v, 0.14*w, 0.30*h, 0.21*w, 0.38*h, u),
		ticker,
	}
	c.scene = &timed{detail: d, rate: c.Rate}
	return c, nil
}

// timed gives the detail scene its clock.
type timed struct {
	*detail
	rate Ratio
}

func (t *timed) draw(v *canvas, i int, moment float64) {
	// The landscape goes to and fro by whole pixels, so it stays as sharp as it
	// was drawn; in the shrunk clip they are halves.
	shift := i / 2 % (2 * max(t.span, 1))
	if shift > t.span {
		shift = 2*t.span - shift
	}
	v.paste(-shift, 0, &t.land)
	seconds := moment * float64(t.rate.Den) / float64(t.rate.Num)
	for _, p := range t.parts {
		p.draw(v, i, seconds)
	}
}

func (t *timed) sample(at int64) (left, right float64) { return t.melody.sample(at) }

// melody is a slow row of soft chords with a tick at each second.
type melody struct{}

// The chords are of four voices each, in Hz, and last two seconds.
var chords = [][4]float64{
	{220, 261.63, 329.63, 440},
	{174.61, 220, 261.63, 349.23},
	{196, 246.94, 293.66, 392},
	{164.81, 207.65, 246.94, 329.63},
}

func (melody) sample(at int64) (left, right float64) {
	const chordSamples = 2 * SampleRate
	chord := chords[at/chordSamples%int64(len(chords))]
	in := float64(at%chordSamples) / chordSamples
	swell := math.Pow(math.Sin(math.Pi*in), 2) * 0.1
	for i, hz := range chord {
		v := swell * math.Sin(2*math.Pi*hz*float64(at%chordSamples)/SampleRate)
		pan := float64(i) / 3
		left += v * (1 - 0.6*pan)
		right += v * (0.4 + 0.6*pan)
	}
	if t := float64(at%SampleRate) / SampleRate; t < 0.05 {
		tick := 0.3 * math.Exp(-t*120) * math.Sin(2*math.Pi*1800*t)
		left, right = left+tick, right+tick
	}
	return left, right
}

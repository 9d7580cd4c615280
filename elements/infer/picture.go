package infer

import "math"

// picture is a picture in float32, for probing. Value (x, y) of channel c is
// values[c*plane + (y*width+x)*step].
type picture struct {
	width, height int
	step, plane   int
	values        []float32
	of            *picture // what a network made it of; nil when it was drawn
}

// plain draws one channel of one level.
func plain(width, height int, level float32) *picture {
	p := &picture{width: width, height: height, step: 1, values: make([]float32, width*height)}
	for i := range p.values {
		p.values[i] = level
	}
	return p
}

// texture draws one channel of noise over the whole range beside hard edges;
// the same every time.
func texture(width, height int, peak float32) *picture {
	p := plain(width, height, 0)
	for i := range p.values {
		x, y := i%width, i/width
		switch {
		case x < width/2:
			p.values[i] = float32(hash(x, y)) / math.MaxUint32 * peak
		case (x/8+y/8)%2 == 0:
			p.values[i] = peak
		}
		p.values[i] = float32(math.Round(float64(p.values[i]*255/peak))) / 255 * peak
	}
	return p
}

// hash returns evenly spread bits for a pixel.
func hash(x, y int) uint32 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca6b
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return h ^ h>>15
}

// matches reports whether p is scale times the size of what it was made of.
func (p *picture) matches(scale int) bool {
	return p.width == scale*p.of.width && p.height == scale*p.of.height
}

// finite reports whether no value is NaN or infinite.
func (p *picture) finite() bool {
	for _, v := range p.values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// middle returns the mean of a channel over the middle half of the picture
// each way, where a network does not see the edges.
func (p *picture) middle(channel int) float64 {
	sum, n := 0.0, 0
	for y := p.height / 4; y < p.height-p.height/4; y++ {
		for x := p.width / 4; x < p.width-p.width/4; x++ {
			sum += float64(p.values[channel*p.plane+(y*p.width+x)*p.step])
			n++
		}
	}
	return sum / float64(n)
}

// changed returns the first and the last row in which q, of the same size, is
// off by more than tolerance; the middle row when none is.
func (p *picture) changed(q *picture, tolerance float64) (first, last int) {
	first, last = p.height/2, p.height/2
	for i, v := range p.values {
		if !(math.Abs(float64(v)-float64(q.values[i])) <= tolerance) {
			y := i % p.plane / p.width
			if p.plane == 1 { // channels last
				y = i / p.step / p.width
			}
			first, last = min(first, y), max(last, y)
		}
	}
	return first, last
}

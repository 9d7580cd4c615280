package testmedia

import "math"

// wheel is a turning wheel of thin spokes with coloured cabins, on a stand.
type wheel struct {
	x, y, r, unit float64
	rim, spoke    ink
	cabins        []ink
}

const wheelSpokes = 28

func newWheel(v *canvas, x, y, r, u float64) *wheel {
	w := &wheel{x: x, y: y, r: r, unit: u, rim: v.ink(0.92, 0.92, 0.90), spoke: v.ink(0.80, 0.22, 0.20)}
	for i := range wheelSpokes / 2 {
		hue := 2 * math.Pi * float64(i) / 7
		w.cabins = append(w.cabins, v.ink(0.55+0.4*math.Cos(hue), 0.5+0.4*math.Cos(hue-2.1), 0.55+0.4*math.Cos(hue+2.1)))
	}
	return w
}

func (w *wheel) draw(v *canvas, _ int, seconds float64) {
	foot := w.y + 1.35*w.r
	for _, side := range []float64{-1, 1} {
		v.line(w.x, w.y, w.x+side*0.42*w.r, foot, 5*w.unit, w.rim)
		for k := range 9 { // a lattice up the leg
			t := float64(k+1) / 10
			v.line(w.x+side*0.42*w.r*t, w.y+1.35*w.r*t, w.x+side*0.3*w.r*t, w.y+1.35*w.r*(t+0.1), 1.2*w.unit, w.rim)
		}
		v.line(w.x+side*0.02*w.r, w.y, w.x+side*0.30*w.r, foot, 2*w.unit, w.rim)
	}
	turn := 0.12 * seconds
	at := func(i, r float64) (x, y float64) {
		sin, cos := math.Sincos(turn + 2*math.Pi*i/wheelSpokes)
		return w.x + r*cos, w.y + r*sin
	}
	for i := range wheelSpokes {
		x0, y0 := at(float64(i)+3, 0.06*w.r)
		x1, y1 := at(float64(i), w.r)
		v.line(x0, y0, x1, y1, 1.1*w.unit, w.spoke)
		for _, r := range []float64{1, 0.93, 0.55} {
			xa, ya := at(float64(i), r*w.r)
			xb, yb := at(float64(i)+1, r*w.r)
			v.line(xa, ya, xb, yb, (0.7+1.4*r)*w.unit, w.rim)
		}
		xa, ya := at(float64(i), 0.93*w.r)
		xb, yb := at(float64(i)+1, w.r)
		v.line(xa, ya, xb, yb, 0.9*w.unit, w.rim)
	}
	for i, k := range w.cabins {
		x, y := at(2*float64(i), 1.0*w.r)
		v.shade(x, y+9*w.unit, 8*w.unit, 9*w.unit, func(px, py float64) (ink, int) {
			inset := min(7*w.unit-math.Abs(px), 8*w.unit-math.Abs(py))
			if py < 0 && py > -5*w.unit && math.Abs(px) < 5*w.unit {
				return v.ink(0.75, 0.85, 0.9), opaque
			}
			return k, int(opaque * coverage(inset))
		})
	}
}

// balloon drifts over the sky; its cloth has stripes of strong colours.
type balloon struct {
	x, y, r, unit float64
	cloth         []ink
	basket, rope  ink
}

func newBalloon(v *canvas, x, y, r float64, hue int, u float64) *balloon {
	b := &balloon{x: x, y: y, r: r, unit: u, basket: v.ink(0.45, 0.30, 0.15), rope: v.ink(0.2, 0.15, 0.1)}
	for i := range 12 {
		all := [...]ink{v.ink(0.86, 0.10, 0.12), v.ink(0.96, 0.80, 0.12), v.ink(0.10, 0.32, 0.75), v.ink(0.95, 0.95, 0.92), v.ink(0.05, 0.55, 0.30), v.ink(0.70, 0.15, 0.60)}
		b.cloth = append(b.cloth, all[(i*(1+hue%2)+hue)%len(all)])
	}
	return b
}

func (b *balloon) draw(v *canvas, _ int, seconds float64) {
	x := b.x + 14*b.unit*math.Sin(0.5*seconds+b.x)
	y := b.y + 6*b.unit*math.Sin(0.9*seconds+b.y)
	for _, side := range []float64{-1, -0.4, 0.4, 1} {
		v.line(x+side*0.35*b.r, y+1.1*b.r, x+side*0.14*b.r, y+1.65*b.r, max(0.9*b.unit, 0.7), b.rope)
	}
	v.fill(int(x-0.17*b.r), int(y+1.62*b.r), int(x+0.17*b.r), int(y+1.9*b.r), b.basket)
	v.shade(x, y, b.r, 1.25*b.r, func(px, py float64) (ink, int) {
		// A sphere that narrows to a mouth below.
		half := math.Sqrt(max(1-py*py/(b.r*b.r), 0)) * b.r
		if py > 0.45*b.r {
			half = b.r * (0.893 - 0.72*(py/b.r-0.45))
		}
		if py > 1.2*b.r || half <= 0 {
			return ink{}, 0
		}
		across := min(max(px/half, -1), 1)
		k := b.cloth[int((math.Asin(across)/math.Pi+0.5)*11.99)]
		shadow := 0.55 * smooth(0.35+0.5*across+0.35*py/b.r)
		return mix(k, ink{16 * 256, 128 * 256, 128 * 256}, int(opaque*shadow)), int(opaque * coverage(half-math.Abs(px)))
	})
}

// wires are thin lines across the sky that hang and swing a little.
type wires struct {
	unit float64
	k    ink
}

func newWires(v *canvas, u float64) *wires { return &wires{unit: u, k: v.ink(0.16, 0.17, 0.20)} }

func (w *wires) draw(v *canvas, _ int, seconds float64) {
	const pieces = 48
	width, height := float64(v.width), float64(v.height)
	for i := range 6 {
		sag := (0.05 + 0.006*float64(i) + 0.003*math.Sin(1.1*seconds+float64(i))) * height
		y0, y1 := (0.02+0.022*float64(i))*height, (0.34+0.016*float64(i))*height
		hang := func(t float64) float64 { return y0 + (y1-y0)*t + sag*4*t*(1-t) }
		for k := range pieces {
			a, b := float64(k)/pieces, float64(k+1)/pieces
			v.line(a*width, hang(a), b*width, hang(b), (0.8+0.15*float64(i))*w.unit, w.k)
		}
	}
}

// chart is a board of colour patches that touch: edges in chroma alone, in
// luma alone, and in both.
type chart struct {
	x, y, width, height float64
	frame               ink
	patches             [4][7]ink
}

func newChart(v *canvas, x, y, width, height float64) *chart {
	c := &chart{x: x, y: y, width: width, height: height, frame: v.grey(0.08)}
	bars := [7][3]float64{{1, 0, 0}, {1, 1, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1}, {1, 0, 1}, {1, 0.55, 0.1}}
	for i, b := range bars {
		c.patches[0][i] = v.ink(0.8*b[0]+0.05, 0.8*b[1]+0.05, 0.8*b[2]+0.05)
		c.patches[1][6-i] = v.ink(0.45+0.3*b[0], 0.45+0.3*b[1], 0.45+0.3*b[2])
		c.patches[2][i] = v.grey(float64(i) / 6)
		c.patches[3][i] = v.ink(0.78-0.06*float64(i), 0.58-0.06*float64(i), 0.46-0.05*float64(i))
	}
	return c
}

func (c *chart) draw(v *canvas, _ int, _ float64) {
	x0, y0 := c.x-c.width/2, c.y-c.height/2
	v.fill(int(x0)-4, int(y0)-4, int(x0+c.width)+4, int(y0+c.height)+4, c.frame)
	rows, columns := len(c.patches), len(c.patches[0])
	for r, row := range c.patches {
		for i, k := range row {
			v.fill(int(x0)+i*int(c.width)/columns, int(y0)+r*int(c.height)/rows,
				int(x0)+(i+1)*int(c.width)/columns, int(y0)+(r+1)*int(c.height)/rows, k)
		}
	}
}

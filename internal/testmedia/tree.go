package testmedia

import "math"

// tree is foliage that moves gently: some thousand leaves, each a picture of a
// leaf drawn beforehand at several angles and at quarters of a pixel, over a
// trunk and branches.
type tree struct {
	still  canvas // trunk and branches, with what is behind them left as opacity 0
	cover  []uint8
	x0, y0 int
	leaves []leaf
	shapes [leafSizes]leafShapes
}

// leaf is one leaf's place and way of moving.
type leaf struct {
	x, y         float64 // where its stalk is
	angle        float64 // turns
	size         int
	dark, light  ink
	phase, swing float64
}

const (
	leafSizes  = 3
	leafAngles = 48
	leafPhases = 4 // positions within a pixel, each way
)

// sprite is a small picture of coverage and brightness, its origin at ox, oy.
type sprite struct {
	ox, oy, width, height int
	alpha, light          []uint8
}

type leafShapes [leafAngles][leafPhases][leafPhases]sprite

// newTree returns a tree with its crown in the ellipse around cx, cy.
func newTree(v *canvas, cx, cy, rx, ry, u float64) *tree {
	t := &tree{}
	for s, length := range [leafSizes]float64{15 * u, 21 * u, 28 * u} {
		t.shapes[s] = drawLeaves(length)
	}
	t.growWood(v, cx, cy, rx, ry, u)
	const count = 3400
	for i := range count {
		// Leaves gather in clumps; those drawn later are nearer and brighter.
		clump := int(hash(i, 0, 151) % 130)
		a, r := 2*math.Pi*chance(clump, 0, 157), math.Sqrt(chance(clump, 1, 157))
		b, q := 2*math.Pi*chance(i, 1, 163), math.Sqrt(chance(i, 2, 163))*0.25
		depth := float64(i) / count
		sun := 0.25 + 0.75*depth
		sun *= 0.75 + 0.5*chance(i, 3, 167) - 0.35*r*math.Sin(a)
		warm := chance(clump, 4, 173) * 0.28
		t.leaves = append(t.leaves, leaf{
			x: cx + rx*(r*math.Cos(a)+q*math.Cos(b)), y: cy + ry*(r*math.Sin(a)+q*math.Sin(b)),
			angle: 0.25 + 0.55*(chance(i, 5, 179)-0.5) + 0.12*math.Cos(a),
			size:  min(int(chance(i, 6, 181)*1.4*leafSizes*(0.4+0.6*depth)), leafSizes-1),
			dark:  v.ink((0.05+0.12*warm)*sun+0.02, 0.13*sun+0.05, 0.04*sun+0.02),
			light: v.ink((0.36+warm)*sun, 0.66*sun, 0.18*sun),
			phase: chance(clump, 7, 191) + 0.12*chance(i, 8, 191), swing: 0.5 + chance(i, 9, 193),
		})
	}
	return t
}

// growWood draws the trunk and the branches into a canvas of their own.
func (t *tree) growWood(v *canvas, cx, cy, rx, ry, u float64) {
	t.x0, t.y0 = int(cx-1.3*rx), int(cy-1.2*ry)
	t.still = v.sized(int(2.6*rx), v.height-t.y0)
	mask := v.sized(t.still.width, t.still.height)
	black, white := ink{}, ink{y: opaque - 1}
	mask.fill(0, 0, mask.width, mask.height, black)
	strand := func(x0, y0, x1, y1, width float64, k ink) {
		x0, y0, x1, y1 = x0-float64(t.x0), y0-float64(t.y0), x1-float64(t.x0), y1-float64(t.y0)
		t.still.line(x0, y0, x1, y1, width+2, k)
		mask.line(x0, y0, x1, y1, width, white)
	}
	bark := func(tone float64) ink { return v.ink(0.16+0.30*tone, 0.12+0.22*tone, 0.08+0.15*tone) }
	base := float64(v.height)
	var branch func(x, y, angle, length, width float64, level, id int)
	branch = func(x, y, angle, length, width float64, level, id int) {
		ex, ey := x+length*math.Cos(angle), y-length*math.Sin(angle)
		strand(x, y, ex, ey, width, bark(0.2))
		for s := range 5 { // bark and light from the right
			o := (float64(s)/4 - 0.5) * width * 0.7
			strand(x+o, y, ex+o*0.7, ey, max(width*0.12, 0.8), bark(0.15+0.17*float64(s)+0.2*chance(id, s, 199)))
		}
		if level == 0 {
			return
		}
		for k := range 3 {
			turn := (float64(k) - 1 + 0.7*(chance(id, k, 211)-0.5)) * 0.62
			branch(ex, ey, angle+turn, length*(0.62+0.2*chance(id, k, 223)), width*0.6, level-1, id*3+k+1)
		}
	}
	branch(cx, base, math.Pi/2, base-cy-0.35*ry, 34*u, 1, 1)
	branch(cx, cy+0.45*ry, math.Pi/2, 0.30*ry, 18*u, 4, 2)
	t.cover = make([]uint8, len(mask.pix))
	for i, p := range mask.pix {
		t.cover[i] = uint8(min(p.y, opaque-1))
	}
}

func (t *tree) draw(v *canvas, _ int, seconds float64) {
	for y := range t.still.height {
		vy := t.y0 + y
		if vy < 0 || vy >= v.height {
			continue
		}
		row, from := v.row(vy), t.still.row(y)
		for x := max(0, -t.x0); x < t.still.width && t.x0+x < v.width; x++ {
			if a := t.cover[y*t.still.width+x]; a > 0 {
				row[t.x0+x] = mix(row[t.x0+x], from[x], int(a)+1)
			}
		}
	}
	for i := range t.leaves {
		l := &t.leaves[i]
		sway := math.Sin(2 * math.Pi * (0.31*seconds + l.phase))
		flutter := math.Sin(2 * math.Pi * (0.83*l.swing*seconds + 3*l.phase))
		length := float64(l.size + 2)
		x, y := l.x+(1.6*sway+0.4*flutter)*length*0.6, l.y+0.5*flutter*length*0.5
		angle := l.angle + 0.018*sway + 0.03*l.swing*flutter
		angle -= math.Floor(angle)
		fx, fy := math.Floor(x), math.Floor(y)
		s := &t.shapes[l.size][int(angle*leafAngles)%leafAngles][int((y-fy)*leafPhases)][int((x-fx)*leafPhases)]
		s.draw(v, int(fx), int(fy), l.dark, l.light)
	}
}

// draw lays the sprite over v with its origin at x, y.
func (s *sprite) draw(v *canvas, x, y int, dark, light ink) {
	x, y = x+s.ox, y+s.oy
	for sy := max(0, -y); sy < min(s.height, v.height-y); sy++ {
		row := v.row(y + sy)
		at := sy * s.width
		for sx := max(0, -x); sx < min(s.width, v.width-x); sx++ {
			if a := s.alpha[at+sx]; a > 0 {
				k := mix(dark, light, int(s.light[at+sx]))
				row[x+sx] = mix(row[x+sx], k, int(a)+1)
			}
		}
	}
}

// drawLeaves draws a leaf of a length in pixels at every angle and phase.
func drawLeaves(length float64) (shapes leafShapes) {
	for a := range leafAngles {
		for py := range leafPhases {
			for px := range leafPhases {
				shapes[a][py][px] = drawLeaf(length, 2*math.Pi*float64(a)/leafAngles,
					(float64(px)+0.5)/leafPhases, (float64(py)+0.5)/leafPhases)
			}
		}
	}
	return shapes
}

// drawLeaf draws one leaf with its stalk at dx, dy of its origin pixel.
func drawLeaf(length, angle, dx, dy float64) sprite {
	r := int(length) + 2
	s := sprite{ox: -r, oy: -r, width: 2*r + 1, height: 2*r + 1}
	s.alpha, s.light = make([]uint8, s.width*s.height), make([]uint8, s.width*s.height)
	sin, cos := math.Sincos(angle)
	const grid = 3 // points per pixel each way
	for y := range s.height {
		for x := range s.width {
			left, top := float64(x-r)-dx, float64(y-r)-dy
			if middle := math.Abs((top+0.5)*cos-(left+0.5)*sin) / length; middle > leafHalf+1/length {
				continue // most of the square is nowhere near the leaf
			}
			var hits, light float64
			for k := range grid * grid {
				px, py := left+(float64(k%grid)+0.5)/grid, top+(float64(k/grid)+0.5)/grid
				if on, l := leafPoint((px*cos+py*sin)/length, (py*cos-px*sin)/length); on {
					hits, light = hits+1, light+l
				}
			}
			if hits > 0 {
				s.alpha[y*s.width+x] = uint8(255 * hits / (grid * grid))
				s.light[y*s.width+x] = uint8(255 * min(light/hits, 1))
			}
		}
	}
	return s.trim()
}

// leafHalf is a bound of half a leaf's width for a length of 1.
const leafHalf = 0.26

// leafPoint tells whether the point along and across a leaf of unit length is
// on it, and how bright it is: a pale middle vein, side veins, one half of the
// blade turned to the light.
func leafPoint(along, across float64) (on bool, light float64) {
	if along < 0 || along > 1 || math.Abs(across) > leafHalf {
		return false, 0
	}
	root := math.Sqrt(along)
	edge := 0.24 * math.Sin(math.Pi*root*math.Sqrt(root)) * (1 + 0.06*math.Sin(40*along))
	if math.Abs(across) > max(edge, 0.018*(1-along)) {
		return false, 0
	}
	light = 0.52
	if across < 0 {
		light = 0.74
	}
	if math.Abs(across) < 0.022 {
		return true, 0.95
	}
	vein := max(math.Cos(2*math.Pi*(6*along-4.5*math.Abs(across))), 0)
	light -= 0.2 * vein * vein * vein * vein * vein * vein
	return true, light * (0.8 + 0.3*along)
}

// trim cuts off the empty rows and columns.
func (s sprite) trim() sprite {
	x0, y0, x1, y1 := s.width, s.height, 0, 0
	for i, a := range s.alpha {
		if a > 0 {
			x, y := i%s.width, i/s.width
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
		}
	}
	out := sprite{ox: s.ox + x0, oy: s.oy + y0, width: max(x1-x0, 0), height: max(y1-y0, 0)}
	for y := y0; y < y1; y++ {
		out.alpha = append(out.alpha, s.alpha[y*s.width+x0:y*s.width+x1]...)
		out.light = append(out.light, s.light[y*s.width+x0:y*s.width+x1]...)
	}
	return out
}

package testmedia

import "math"

// star is a Siemens star: wedges that grow finer towards the middle, which is
// covered where they would pass what pixels can carry.
type star struct {
	x, y, r     float64
	light, dark ink
	edge        ink
}

const starWedges = 36

func newStar(v *canvas, x, y, r float64) *star {
	return &star{x: x, y: y, r: r, light: v.grey(0.92), dark: v.grey(0.08), edge: v.ink(0.75, 0.6, 0.2)}
}

func (s *star) draw(v *canvas, _ int, seconds float64) {
	turn := 0.05 * seconds
	// A pair of wedges is 2πd/36 wide at distance d; 3 pixels are kept.
	hole := 3 * starWedges / (2 * math.Pi)
	v.shade(s.x, s.y, s.r+3, s.r+3, func(x, y float64) (ink, int) {
		d := math.Hypot(x, y)
		if d > s.r-1 {
			return s.edge, int(opaque * coverage(s.r+2-d))
		}
		if d < hole {
			return s.edge, opaque
		}
		// The distance in pixels to the nearest edge between two wedges.
		t := (math.Atan2(y, x) + turn) * starWedges / (2 * math.Pi)
		t -= math.Floor(t)
		inset := (0.25 - math.Abs(t-0.5)) * 2 * math.Pi * d / starWedges
		return mix(s.dark, s.light, int(opaque*coverage(inset))), opaque
	})
}

// zonePlate is a rotating elliptic zone plate: a sine whose frequency grows
// outwards, faster along one axis, up to zoneLimit.
type zonePlate struct {
	x, y, r float64
	edge    ink
	table   [1024]ink // one period of the wave
}

// zoneLimit is the finest pattern of the zone plate in cycles per pixel. The
// picture can carry 0.5; the shrunk one 0.25 of these.
const zoneLimit = 0.36

func newZonePlate(v *canvas, x, y, r float64) *zonePlate {
	z := &zonePlate{x: x, y: y, r: r, edge: v.ink(0.15, 0.2, 0.35)}
	for i := range z.table {
		z.table[i] = v.grey(0.5 + 0.42*math.Cos(2*math.Pi*float64(i)/float64(len(z.table))))
	}
	return z
}

func (z *zonePlate) draw(v *canvas, _ int, seconds float64) {
	sin, cos := math.Sincos(0.4 * seconds)
	// The phase in periods is k (a² + b²/3): its gradient is at most 2 k r.
	k := zoneLimit / (2 * z.r)
	n := float64(len(z.table))
	v.shade(z.x, z.y, z.r+4, z.r+4, func(x, y float64) (ink, int) {
		d := x*x + y*y
		if d > z.r*z.r {
			return z.edge, int(opaque * coverage(z.r+3-math.Sqrt(d)))
		}
		a, b := x*cos+y*sin, y*cos-x*sin
		return z.table[int(k*(a*a+b*b/3)*n)&(len(z.table)-1)], opaque
	})
}

package testmedia

import "math"

// hash returns a well-mixed number of two coordinates and a seed.
func hash(x, y, seed int) uint32 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77 ^ uint32(seed)*0xc2b2ae3d
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	h *= 0x297a2d39
	h ^= h >> 15
	return h
}

// chance returns a number in 0 … 1 of two coordinates and a seed.
func chance(x, y, seed int) float64 { return float64(hash(x, y, seed)) / (1 << 32) }

// noise returns smooth noise in 0 … 1 with features of about one unit.
func noise(x, y float64, seed int) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx), int(fy)
	sx, sy := smooth(x-fx), smooth(y-fy)
	top := chance(ix, iy, seed)*(1-sx) + chance(ix+1, iy, seed)*sx
	bottom := chance(ix, iy+1, seed)*(1-sx) + chance(ix+1, iy+1, seed)*sx
	return top*(1-sy) + bottom*sy
}

// fractal returns the sum of octaves of noise, each of half the size and gain
// of the one before, in 0 … 1.
func fractal(x, y float64, octaves, seed int) float64 {
	var sum, weight float64
	gain := 1.0
	for o := range octaves {
		sum += gain * noise(x, y, seed+o)
		weight += gain
		x, y, gain = 2*x+17.3, 2*y+5.7, gain*0.55
	}
	return sum / weight
}

// smooth eases t from 0 to 1 with no slope at either end.
func smooth(t float64) float64 {
	t = min(max(t, 0), 1)
	return t * t * (3 - 2*t)
}

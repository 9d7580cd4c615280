package filters

import "math"

// Cube is a look read from a .cube file: a function from R'G'B' to R'G'B', both
// 0 to 1 from black to white. It does not change; many goroutines may use it.
type Cube struct {
	Title    string
	size     int          // entries along an axis, at least 2
	solid    bool         // 3D: size³ entries, red fastest; else 1D: size entries, a curve for each component
	min, max [3]float64   // the domain: what the first and the last entry stand for
	table    [][3]float32 // of R', G', B'
}

// Size returns the entries along an axis, and whether there are three axes or
// one curve for each component.
func (c *Cube) Size() (entries int, solid bool) { return c.size, c.solid }

// excess bounds how far outside the domain a colour is told from the domain's
// edge, in parts of the domain.
const excess = 0.5

// At returns what the look makes of a colour. Outside the domain, where R'G'B'
// made of a legal Y'CbCr may lie, the look goes on as it left the domain.
func (c *Cube) At(rgb [3]float64) [3]float64 {
	var at, over [3]float64 // in entries
	for i, v := range rgb {
		last := float64(c.size - 1)
		x := (v - c.min[i]) / (c.max[i] - c.min[i]) * last
		at[i] = min(max(x, 0), last)
		over[i] = min(max(x-at[i], -excess*last), excess*last)
	}
	edge := c.inside(at)
	out := edge
	for i, o := range over {
		if o == 0 {
			continue
		}
		// One entry back into the table tells the slope; size is at least 2.
		back := at
		back[i] -= math.Copysign(1, o)
		within := c.inside(back)
		for k := range out {
			out[k] += math.Abs(o) * (edge[k] - within[k])
		}
	}
	return out
}

// inside interpolates at a place in the table, in entries.
func (c *Cube) inside(at [3]float64) [3]float64 {
	var cell [3]int
	var part [3]float64
	for i, x := range at {
		cell[i] = min(int(x), c.size-2)
		part[i] = x - float64(cell[i])
	}
	if c.solid {
		return c.tetrahedron(cell, part)
	}
	var out [3]float64
	for i := range out {
		low, high := float64(c.table[cell[i]][i]), float64(c.table[cell[i]+1][i])
		out[i] = low + part[i]*(high-low)
	}
	return out
}

// tetrahedron interpolates in a cell along the way from its darkest to its
// lightest corner that takes the axes in the order of their parts: tetrahedral
// interpolation, which leaves greys grey (Kasson, Nin, Plouffe, Hafner:
// Performing color space conversions with three-dimensional linear
// interpolation, J. Electronic Imaging 4(3), 1995).
func (c *Cube) tetrahedron(cell [3]int, part [3]float64) [3]float64 {
	step := [3]int{1, c.size, c.size * c.size}
	order := [3]int{0, 1, 2}
	for _, pair := range [3][2]int{{0, 1}, {1, 2}, {0, 1}} {
		if a, b := pair[0], pair[1]; part[order[a]] < part[order[b]] {
			order[a], order[b] = order[b], order[a]
		}
	}
	corner := cell[0] + cell[1]*step[1] + cell[2]*step[2]
	var out [3]float64
	for k, v := range c.table[corner] {
		out[k] = float64(v)
	}
	for _, axis := range order {
		from, to := c.table[corner], c.table[corner+step[axis]]
		for k := range out {
			out[k] += part[axis] * (float64(to[k]) - float64(from[k]))
		}
		corner += step[axis]
	}
	return out
}

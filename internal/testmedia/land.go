package testmedia

import "math"

// drawLand paints the still landscape: sky with clouds, two ridges of hills, a
// far wood and a meadow of grass and flowers. u is pixels per 1/720 of the
// height.
func drawLand(v *canvas, u float64) {
	h := float64(v.height)
	for x := range v.width {
		px := float64(x) / u
		near := 408 - 46*fractal(px/300, 3.1, 6, 11) + 14*fractal(px/40, 7.7, 5, 17)
		far := 372 - 110*fractal(px/420, 1.7, 7, 5)
		for y := range min(v.height, int(0.66*h)) { // the meadow covers the rest
			v.row(y)[x] = landColour(v, px, float64(y)/u, near, far)
		}
	}
	drawWood(v, u, 0.565*h)
	drawMeadow(v, u, 0.60*h)
}

// landColour returns the sky or hill colour at x, y of a picture 720 high,
// where the near and the far hills begin at these heights.
func landColour(v *canvas, x, y, near, far float64) ink {
	switch {
	case y > near:
		shade := fractal(x/26, y/12, 6, 31)
		slope := fractal(x/130-y/90, y/70, 4, 37)
		return v.ink(0.16+0.30*shade*slope, 0.30+0.34*shade*slope+0.05*shade, 0.13+0.14*shade)
	case y > far:
		rock := fractal(x/34, y/22, 7, 43)
		haze := smooth((y - far) / 120)
		return v.ink(0.36+0.26*rock+0.1*haze, 0.40+0.24*rock+0.1*haze, 0.47+0.20*rock+0.08*haze)
	}
	cloud := smooth((fractal(x/210, y/80, 7, 61) - 0.47) * 4.2)
	lit := fractal(x/90+2, y/50, 5, 71)
	t := y / 400
	return v.ink(
		(0.25+0.42*t)*(1-cloud)+cloud*(0.74+0.24*lit),
		(0.46+0.32*t)*(1-cloud)+cloud*(0.75+0.22*lit),
		(0.78+0.14*t)*(1-cloud)+cloud*(0.79+0.18*lit))
}

// drawWood draws a row of far trees that stand on line y.
func drawWood(v *canvas, u, y float64) {
	step := 7 * u
	for i := range int(float64(v.width)/step) + 2 {
		x := (float64(i) + chance(i, 0, 83) - 0.5) * step
		height := (26 + 34*chance(i, 1, 83)) * u
		green := 0.18 + 0.14*chance(i, 2, 83)
		dark, light := v.ink(0.10, green, 0.09), v.ink(0.26, green+0.20, 0.13)
		conifer := chance(i, 3, 83) < 0.55
		for k := range int(70 + height) {
			t := chance(i, 10+k, 89)
			spread := (1 - t) * 0.24
			if !conifer {
				spread = 0.34 * math.Sqrt(max(t*(1.02-t), 0)) * 1.3
			}
			px := x + (chance(i, 10+k, 97)-0.5)*2*spread*height
			py := y + 8*u - t*height
			colour := mix(dark, light, int(opaque*chance(i, 10+k, 101)))
			v.line(px-2.2*u, py+1.3*u, px+2.2*u, py, 1.3*u, colour)
		}
	}
}

// drawMeadow covers everything below line y with grass, blade by blade, far to
// near, with flowers among it.
func drawMeadow(v *canvas, u, y float64) {
	bottom := float64(v.height)
	for row := 0; ; row++ {
		depth := (y - 6*u) + float64(row)*2.4*u*(1+float64(row)/60)
		if depth > bottom+60*u {
			return
		}
		near := (depth - y) / (bottom - y)
		length := (7 + 46*max(near, 0)) * u
		step := (1.5 + 2.2*max(near, 0)) * u
		for i := range int(float64(v.width)/step) + 2 {
			drawBlade(v, (float64(i)+chance(i, row, 107))*step, depth, length, near, u, i, row)
		}
	}
}

func drawBlade(v *canvas, x, y, length, near, u float64, i, row int) {
	patch := fractal(x/u/70, y/u/30, 4, 113)
	tone := 0.55 + 0.6*(chance(i, row, 127)-0.5) + 0.7*(patch-0.5)
	k := v.ink(0.20+0.36*tone*patch+0.08*tone, 0.30+0.34*tone, 0.08+0.12*tone)
	tall := length * (0.6 + 0.7*chance(i, row, 131))
	lean := (chance(i, row, 137) - 0.42) * tall * 0.7
	width := (0.9 + 1.4*max(near, 0)) * u
	mx, my := x+lean*0.3, y-tall*0.55
	v.line(x, y, mx, my, width, k)
	v.line(mx, my, x+lean, y-tall, width*0.7, mix(k, v.ink(0.75, 0.8, 0.4), 70))
	if chance(i, row, 139) > 0.012 {
		return
	}
	petals := [...]ink{v.ink(0.93, 0.90, 0.86), v.ink(0.90, 0.25, 0.20), v.ink(0.95, 0.80, 0.15), v.ink(0.50, 0.35, 0.80)}
	petal := petals[int(hash(i, row, 149))%len(petals)]
	r := (1.6 + 3.4*max(near, 0)) * u
	heart := v.ink(0.85, 0.62, 0.1)
	v.shade(x+lean, y-tall, r, r, func(px, py float64) (ink, int) {
		d := math.Hypot(px, py)
		if d < r*0.35 {
			return heart, opaque
		}
		edge := r * (0.78 + 0.22*math.Cos(5*math.Atan2(py, px)))
		return petal, int(opaque * coverage(edge-d))
	})
}

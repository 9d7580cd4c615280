package graph

import (
	"slices"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// rgbOfRGB runs an RGB network on packed RGB.
func (w *wrapper) rgbOfRGB() {
	w.stage = "rgb.in"
	x := w.mul(w.load(w.planes[0], 3), w.facts.Peak/255)
	y := w.mixed(x, w.network(x))
	w.stage = "rgb.out"
	w.store(y, w.facts.Peak/255, 0)
}

// lumaOfRGB runs a luma network on Y of packed RGB, in the full range. R − Y,
// G − Y and B − Y are enlarged by a bicubic filter and added to the network's
// Y, which is the same as enlarging Cb and Cr.
func (w *wrapper) lumaOfRGB() {
	in, out := w.plan.In, w.plan.Out
	w.stage = "rgb.in"
	rgb := w.mul(w.load(w.planes[0], 3), w.facts.Peak/255)
	parts := w.gemm(rgb, lumaAndRest(in))
	luma := w.channels(parts, 3, 4)
	y := w.mixed(luma, w.network(luma))

	w.stage = "rgb.out"
	rest := picture{w.reshape(w.channels(parts, 0, 3), 3, 1, in.Height, in.Width), 1}
	if w.facts.Scale > 1 {
		axis := lumaAxis(w.facts.Scale)
		rest = w.resample(rest.value, axis, axis, w.blockLike(y))
	}
	if !slices.Equal(rest.shape[1:], y.shape[1:]) {
		rest, y = w.flat(rest, out.Height, out.Width), w.flat(y, out.Height, out.Width)
	}
	w.store(picture{w.arithmetic("Add", rest.value, y.value), y.block}, w.facts.Peak/255, 0)
}

// rgbOfYUV runs an RGB network on 4:2:0: chroma is enlarged to the positions
// of luma, all three turned into RGB of the full range and back, and chroma
// made smaller again. What lies outside black to white is clipped on the way
// in, as networks know nothing else.
func (w *wrapper) rgbOfYUV() {
	in, out := w.plan.In, w.plan.Out
	w.stage = "yuv.in"
	rgb := w.toRGB(w.load(w.planes[0], 1), w.loadChroma())
	net := w.flat(w.mixed(rgb, w.network(rgb)), out.Height, out.Width)

	w.stage = "yuv.out"
	codes := w.gemm(net.value, rgbToCodes(in, w.facts.Peak))
	w.store(picture{w.channels(codes, 0, 1), 1}, 1, 0)
	w.stage = "chroma"
	w.storeHalved(w.channels(codes, 1, 3))
}

// toRGB returns [1, 3, H, W] with white at Facts.Peak.
func (w *wrapper) toRGB(luma, chroma value) value {
	in := w.plan.In
	h, v := chromaToLuma(in.Site)
	chroma = w.reshape(chroma, 2, 1, chroma.shape[2], chroma.shape[3])
	chroma = w.flat(w.resample(chroma, h, v, blockFor(2)), in.Height, in.Width).value
	chroma = w.reshape(chroma, 1, 2, in.Height, in.Width)
	rgb := w.gemm(w.concat(1, luma, chroma), wordsToRGB(in, w.facts.Peak))
	return w.clip(rgb, 0, w.facts.Peak)
}

// storeHalved makes chroma [1, 2, H, W], of which one code value is 1, smaller
// and writes it into the output's chroma planes.
func (w *wrapper) storeHalved(chroma value) {
	height, width := chroma.shape[2], chroma.shape[3]
	rows, columns := (height+1)/2, (width+1)/2
	ox, oy := w.plan.Out.Site.Offset()
	h, left := halving(ox)
	v, top := halving(oy)
	x := w.reshape(chroma, 2, 1, height, width)
	x = w.pad(x, -top, -left, 2*(rows-1)+top+len(v)-height, 2*(columns-1)+left+len(h)-width)
	x = w.conv(x, kernel{out: 1, height: 1, width: len(h), weights: h, right: 2})
	x = w.conv(x, kernel{out: 1, height: len(v), width: 1, weights: v, down: 2})
	if len(w.planes) == 2 {
		x = w.reshape(x, 1, 2, rows, columns)
	}
	w.store(picture{x, 1}, 1, 1)
}

// scaleOf returns where black and white of Y, and the middle and the width of
// Cb and Cr, lie among the code values of a depth (ITU-T H.273 §8.3).
func scaleOf(r frame.Range, d depth) (black, lumaWidth, middle, chromaWidth float64) {
	k := float64(int(1) << (d.bits - 8))
	if r == frame.Full {
		return 0, d.maxCode(), 128 * k, d.maxCode()
	}
	return 16 * k, 219 * k, 128 * k, 224 * k
}

// wordsToRGB turns words of Y, Cb and Cr into R'G'B' with white at peak.
func wordsToRGB(l frame.Layout, peak float64) matrix {
	kr, kb := l.Matrix.Coefficients(l.Height)
	kg := 1 - kr - kb
	d := depthOf(l.Format)
	black, lumaWidth, middle, chromaWidth := scaleOf(l.Range, d)
	y, c := peak/(lumaWidth*d.step()), peak/(chromaWidth*d.step())
	m := matrix{rows: 3}
	for _, row := range [3][2]float64{ // of Cb and Cr
		{0, 2 * (1 - kr)},
		{-2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg},
		{2 * (1 - kb), 0},
	} {
		m.weights = append(m.weights, y, c*row[0], c*row[1])
		m.bias = append(m.bias, -d.step()*(y*black+c*(row[0]+row[1])*middle))
	}
	return m
}

// rgbToCodes turns R'G'B' with white at peak into code values of Y, Cb and Cr.
// The layout is the input's, so that an unnamed matrix is the same both ways.
func rgbToCodes(l frame.Layout, peak float64) matrix {
	kr, kb := l.Matrix.Coefficients(l.Height)
	kg := 1 - kr - kb
	black, lumaWidth, middle, chromaWidth := scaleOf(l.Range, depthOf(l.Format))
	m := matrix{rows: 3}
	for _, row := range []struct{ width, r, g, b, offset float64 }{
		{lumaWidth, kr, kg, kb, black},
		{chromaWidth / (2 * (1 - kb)), -kr, -kg, 1 - kb, middle},
		{chromaWidth / (2 * (1 - kr)), 1 - kr, -kg, -kb, middle},
	} {
		k := row.width / peak
		m.weights = append(m.weights, k*row.r, k*row.g, k*row.b)
		m.bias = append(m.bias, row.offset)
	}
	return m
}

// lumaAndRest turns R'G'B' into R' − Y, G' − Y, B' − Y and Y.
func lumaAndRest(l frame.Layout) matrix {
	kr, kb := l.Matrix.Coefficients(l.Height)
	kg := 1 - kr - kb
	return matrix{rows: 4, weights: []float64{
		1 - kr, -kg, -kb,
		-kr, 1 - kg, -kb,
		-kr, -kg, 1 - kb,
		kr, kg, kb,
	}}
}

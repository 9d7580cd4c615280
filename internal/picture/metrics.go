package picture

import (
	"fmt"
	"math"
)

// PSNR returns the peak signal-to-noise ratio of two planes in dB,
// 10 log10(peak² / mean squared difference), without the outer border samples
// of each side. It is +Inf for equal planes. It returns ErrSize when the planes
// differ in size or nothing is left inside the border.
func PSNR(a, b Plane, peak float64, border int) (float64, error) {
	if err := inside(a, b, border, 1); err != nil {
		return 0, err
	}
	var sum float64
	for y := border; y < a.Height-border; y++ {
		ra, rb := a.Row(y)[border:a.Width-border], b.Row(y)[border:a.Width-border]
		for x, v := range ra {
			d := v - rb[x]
			sum += d * d
		}
	}
	n := float64((a.Width - 2*border) * (a.Height - 2*border))
	return 10 * math.Log10(peak*peak/(sum/n)), nil
}

// The constants of Wang, Bovik, Sheikh and Simoncelli, "Image quality
// assessment: from error visibility to structural similarity", 2004.
const (
	ssimWindow = 11
	ssimSigma  = 1.5
	ssimK1     = 0.01
	ssimK2     = 0.03
)

// SSIM returns the mean structural similarity of two planes, at most 1, by
// Wang et al. 2004: Gaussian windows of 11 × 11 samples with σ = 1.5,
// K1 = 0.01, K2 = 0.03, the mean over the windows that lie wholly inside the
// border. It returns ErrSize when the planes differ in size or hold no window.
func SSIM(a, b Plane, peak float64, border int) (float64, error) {
	if err := inside(a, b, border, ssimWindow); err != nil {
		return 0, err
	}
	c1, c2 := ssimK1*peak*ssimK1*peak, ssimK2*peak*ssimK2*peak
	width, height := a.Width-2*border, a.Height-2*border
	weights := gaussian()
	ring := newMoments(width - ssimWindow + 1)
	var sum float64
	for y := range height {
		ra := a.Row(y + border)[border : border+width]
		rb := b.Row(y + border)[border : border+width]
		ring.push(ra, rb, &weights)
		if y >= ssimWindow-1 {
			sum += ring.similarity(&weights, c1, c2)
		}
	}
	return sum / float64(ring.width*(height-ssimWindow+1)), nil
}

// moments holds the last 11 rows of the five horizontally weighted sums that
// SSIM needs: of a, b, a², b² and a·b.
type moments struct {
	width int
	count int
	rows  [ssimWindow][5][]float64
	sums  [5][]float64 // the same, weighted over the rows
}

func newMoments(width int) *moments {
	m := &moments{width: width}
	for k := range m.sums {
		m.sums[k] = make([]float64, width)
	}
	for i := range m.rows {
		for k := range m.rows[i] {
			m.rows[i][k] = make([]float64, width)
		}
	}
	return m
}

// push weighs one row of each plane horizontally over the oldest row held.
func (m *moments) push(a, b []float64, weights *[ssimWindow]float64) {
	row := &m.rows[m.count%ssimWindow]
	m.count++
	for x := range m.width {
		var s, t, ss, tt, st float64
		wa, wb := a[x:x+ssimWindow], b[x:x+ssimWindow]
		for i, w := range weights {
			va, vb := wa[i], wb[i]
			s += w * va
			t += w * vb
			ss += w * va * va
			tt += w * vb * vb
			st += w * va * vb
		}
		row[0][x], row[1][x], row[2][x], row[3][x], row[4][x] = s, t, ss, tt, st
	}
}

// similarity returns the sum of SSIM over the windows that the held rows span.
func (m *moments) similarity(weights *[ssimWindow]float64, c1, c2 float64) float64 {
	for k, to := range m.sums {
		clear(to)
		for i, w := range weights {
			// The oldest row comes first: the one that the next push overwrites.
			for x, v := range m.rows[(m.count+i)%ssimWindow][k] {
				to[x] += w * v
			}
		}
	}
	var sum float64
	for x, ma := range m.sums[0] {
		mb := m.sums[1][x]
		va, vb, cov := m.sums[2][x]-ma*ma, m.sums[3][x]-mb*mb, m.sums[4][x]-ma*mb
		sum += (2*ma*mb + c1) * (2*cov + c2) / ((ma*ma + mb*mb + c1) * (va + vb + c2))
	}
	return sum
}

func gaussian() (w [ssimWindow]float64) {
	var sum float64
	for i := range w {
		d := float64(i - ssimWindow/2)
		w[i] = math.Exp(-d * d / (2 * ssimSigma * ssimSigma))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// inside returns ErrSize unless a and b are of one size and at least side
// samples each way are left inside the border.
func inside(a, b Plane, border, side int) error {
	if a.Width != b.Width || a.Height != b.Height {
		return sizes("compared planes", a, b)
	}
	if border < 0 || a.Width-2*border < side || a.Height-2*border < side {
		return fmt.Errorf("%w: %d×%d has no %d×%d inside a border of %d", ErrSize, a.Width, a.Height, side, side, border)
	}
	return nil
}

func sizes(what string, a, b Plane) error {
	return fmt.Errorf("%w: %s of %d×%d and %d×%d", ErrSize, what, a.Width, a.Height, b.Width, b.Height)
}

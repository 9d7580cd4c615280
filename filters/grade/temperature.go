package grade

import "math"

// neutralKelvin is the light that changes nothing.
const neutralKelvin = 6500

// displayGamma is the exponent of ITU-R BT.1886: R'G'B' are the 2.4th root of
// light, and so is a gain on them of one on light.
const displayGamma = 2.4

// darkest bounds from below how little blue a light may have: under 1900 K it
// has less than none within BT.709, which no picture can show.
const darkest = 1e-3

// Balance returns the factors of R', G' and B' that make white look lit by a
// black body of that temperature, 1000 to 15000 K, instead of by one of 6500 K.
// Luma of greys, of weights kr and kb, stays as it is.
func Balance(kelvin, kr, kb float64) [3]float64 {
	light, white := linear(blackBody(kelvin)), linear(blackBody(neutralKelvin))
	var gain [3]float64
	for i := range gain {
		gain[i] = math.Pow(max(light[i]/light[1]/(white[i]/white[1]), darkest), 1/displayGamma)
	}
	luma := kr*gain[0] + (1-kr-kb)*gain[1] + kb*gain[2]
	for i := range gain {
		gain[i] /= luma
	}
	return gain
}

// blackBody returns X, Y and Z of the light of a black body, in a scale of its own:
// Planck's law seen by the CIE 1931 observer.
func blackBody(kelvin float64) [3]float64 {
	var sum [3]float64
	for nm := 380.0; nm <= 780; nm += 5 {
		// Planck: 1/λ⁵ / (exp(hc/λkT) − 1), hc/k = 1.438777e7 nm·K.
		power := math.Pow(nm/560, -5) / math.Expm1(1.438777e7/(nm*kelvin))
		x, y, z := observer(nm)
		sum[0], sum[1], sum[2] = sum[0]+power*x, sum[1]+power*y, sum[2]+power*z
	}
	return sum
}

// linear returns linear R, G and B of BT.709's primaries (IEC 61966-2-1).
func linear(xyz [3]float64) [3]float64 {
	x, y, z := xyz[0], xyz[1], xyz[2]
	return [3]float64{
		3.2404542*x - 1.5371385*y - 0.4985314*z,
		-0.9692660*x + 1.8760108*y + 0.0415560*z,
		0.0556434*x - 0.2040259*y + 1.0572252*z,
	}
}

// observer returns the CIE 1931 colour matching functions at a wavelength, by the
// fit of Wyman, Sloan and Shirley: Simple Analytic Approximations to the CIE XYZ
// Color Matching Functions, JCGT 2(2), 2013, with several lobes.
func observer(nm float64) (x, y, z float64) {
	lobe := func(mean, below, above float64) float64 {
		t := (nm - mean) * above
		if nm < mean {
			t = (nm - mean) * below
		}
		return math.Exp(-t * t / 2)
	}
	x = 0.362*lobe(442.0, 0.0624, 0.0374) + 1.056*lobe(599.8, 0.0264, 0.0323) - 0.065*lobe(501.1, 0.0490, 0.0382)
	y = 0.821*lobe(568.8, 0.0213, 0.0247) + 0.286*lobe(530.9, 0.0613, 0.0322)
	z = 1.217*lobe(437.0, 0.0845, 0.0278) + 0.681*lobe(459.0, 0.0385, 0.0725)
	return x, y, z
}

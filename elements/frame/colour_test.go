package frame

import "testing"

func TestCoefficients(t *testing.T) {
	for _, test := range []struct {
		matrix Matrix
		height int
		kr, kb float64
	}{
		{BT601, 1080, 0.299, 0.114},
		{BT709, 480, 0.2126, 0.0722},
		{BT2020, 2160, 0.2627, 0.0593},
		{FCC, 480, 0.30, 0.11},
		{SMPTE240M, 1035, 0.212, 0.087},
		{MatrixUnknown, 576, 0.299, 0.114},
		{MatrixUnknown, 577, 0.2126, 0.0722},
	} {
		if kr, kb := test.matrix.Coefficients(test.height); kr != test.kr || kb != test.kb {
			t.Errorf("matrix %d at %d rows: got %v and %v", test.matrix, test.height, kr, kb)
		}
	}
}

func TestChromaSites(t *testing.T) {
	for site, want := range map[ChromaSite][2]float64{
		SiteLeft: {-0.5, 0}, SiteCenter: {0, 0}, SiteTopLeft: {-0.5, -0.5},
	} {
		if x, y := site.Offset(); x != want[0] || y != want[1] {
			t.Errorf("site %d: got %v, %v", site, x, y)
		}
	}
}

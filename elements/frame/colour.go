package frame

// Matrix names the coefficients that make luma and chroma of R, G and B.
type Matrix uint8

// The matrices of ITU-T H.273 table 4 that video in 4:2:0 carries.
const (
	MatrixUnknown Matrix = iota // treated as BT601 up to 576 rows, else as BT709
	BT601
	BT709
	BT2020 // non-constant luminance
	FCC
	SMPTE240M
)

// Coefficients returns Kr and Kb of ITU-T H.273 table 4 for a frame of height
// rows; Kg is 1 − Kr − Kb.
func (m Matrix) Coefficients(height int) (kr, kb float64) {
	switch m {
	case BT709:
		return 0.2126, 0.0722
	case BT2020:
		return 0.2627, 0.0593
	case FCC:
		return 0.30, 0.11
	case SMPTE240M:
		return 0.212, 0.087
	case BT601:
	case MatrixUnknown:
		if height > 576 {
			return BT709.Coefficients(height)
		}
	}
	return 0.299, 0.114
}

// Range tells which code values black and white have.
type Range uint8

// The ranges of ITU-T H.273.
const (
	Limited Range = iota // 16 to 235 (chroma 16 to 240) in 8 bits, shifted left in more
	Full                 // 0 to 255 in 8 bits
)

// ChromaSite tells where the chroma samples of 4:2:0 lie. The zero value is
// what MPEG-2, H.264 and HEVC video uses when nothing is said.
type ChromaSite uint8

// The sites of 4:2:0 chroma relative to its block of 2 × 2 luma samples.
const (
	SiteLeft    ChromaSite = iota // on the left column, between the rows (GStreamer's mpeg2)
	SiteCenter                    // in the middle of the block (GStreamer's jpeg)
	SiteTopLeft                   // on the top left sample (GStreamer's cosited)
)

// Offset returns how far the chroma sample lies from the middle of its block,
// in luma pixels: 0 or −0.5 each way.
func (s ChromaSite) Offset() (x, y float64) {
	switch s {
	case SiteLeft:
		return -0.5, 0
	case SiteTopLeft:
		return -0.5, -0.5
	default:
		return 0, 0
	}
}

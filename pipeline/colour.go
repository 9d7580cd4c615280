package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// colours tells how a picture's samples are to be read: GStreamer's four
// numbers range, matrix, transfer and primaries, each 0 where it is not known.
type colours struct{ Range, Matrix, Transfer, Primaries int }

// Values of GstVideoColorRange, GstVideoColorMatrix and
// GstVideoColorPrimaries that something is decided by.
const (
	rangeFull        = 1
	rangeLimited     = 2
	matrixRGB        = 1
	matrix709        = 3
	matrix601        = 4
	matrix240M       = 5
	matrix2020       = 6
	primaries709     = 1
	primariesBT470BG = 3
	primaries170M    = 4
	primaries2020    = 7
)

// The colours that GStreamer has names for. It compares the names in caps as
// text, so they are written where there are any.
var (
	bt601  = colours{rangeLimited, matrix601, 16, primaries170M}
	bt709  = colours{rangeLimited, matrix709, 5, primaries709}
	bt2020 = colours{rangeLimited, matrix2020, 11, primaries2020}

	namedColours = map[string]colours{
		"bt601": bt601, "bt709": bt709, "bt2020": bt2020,
		"smpte240m":  {rangeLimited, matrix240M, 6, 5},
		"sRGB":       {rangeFull, matrixRGB, 7, primaries709},
		"bt2020-10":  {rangeLimited, matrix2020, 13, primaries2020},
		"bt2100-pq":  {rangeLimited, matrix2020, 14, primaries2020},
		"bt2100-hlg": {rangeLimited, matrix2020, 15, primaries2020},
	}
)

// parseColours reads a colorimetry of caps; what cannot be read is not known.
func parseColours(colorimetry string) colours {
	if c, ok := namedColours[colorimetry]; ok {
		return c
	}
	var n [4]int
	parts := strings.Split(colorimetry, ":")
	if len(parts) != len(n) {
		return colours{}
	}
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 {
			return colours{}
		}
		n[i] = v
	}
	return colours{n[0], n[1], n[2], n[3]}
}

// String returns the colorimetry as GStreamer writes it.
func (c colours) String() string {
	for name, n := range namedColours {
		if n == c {
			return name
		}
	}
	return fmt.Sprintf("%d:%d:%d:%d", c.Range, c.Matrix, c.Transfer, c.Primaries)
}

// or returns c with what is not known taken from d.
func (c colours) or(d colours) colours {
	first := func(a, b int) int {
		if a != 0 {
			return a
		}
		return b
	}
	return colours{first(c.Range, d.Range), first(c.Matrix, d.Matrix), first(c.Transfer, d.Transfer), first(c.Primaries, d.Primaries)}
}

// colours returns those of the source with nothing unknown. What the file does
// not say is taken as players take it: from what it does say, else from the
// rows. It has to be written down, for the rows will be others.
func (v Video) colours() colours {
	c := parseColours(v.Colorimetry)
	if v.sampling() == "RGB" {
		c.Range, c.Matrix = rangeLimited, matrix709 // what it is turned into
		return c.or(bt709)
	}
	pal := bt601
	pal.Primaries = primariesBT470BG
	switch {
	case c.Matrix == matrix2020 || c.Matrix == 0 && c.Primaries == primaries2020:
		return c.or(bt2020)
	case c.Matrix == matrix709 || c.Matrix == 0 && c.Primaries == primaries709 || c == colours{Range: c.Range} && v.Height > 576:
		return c.or(bt709)
	case v.Height == 576 || v.Height == 288: // of 625 lines
		return c.or(pal)
	default:
		return c.or(bt601)
	}
}

// sampling returns the chroma sampling of the decoder's output, or RGB or grey.
func (v Video) sampling() string {
	for _, s := range []struct{ sampling, marks string }{
		{"RGB", "RGB BGR GBR"},
		{"grey", "GRAY"},
		{"4:4:4", "444 AYUV VUYA v308 IYU2 Y410 Y412 NV24"},
		{"4:2:2", "422 Y42B YUY2 UYVY YVYU VYUY v210 v216 Y210 Y212 NV16 NV61 UYVP"},
		{"4:1:1", "Y41B IYU1"},
		{"4:1:0", "YUV9 YVU9"},
	} {
		for mark := range strings.FieldsSeq(s.marks) {
			if strings.Contains(v.Format, mark) {
				return s.sampling
			}
		}
	}
	return "4:2:0"
}

// GStreamer's chroma sites of 4:2:0, and what H.264 and HEVC call them.
const (
	siteLeft    = "mpeg2"
	siteCenter  = "jpeg"
	siteTopLeft = "cosited"
)

var chromaLoc = map[string]string{siteLeft: "0", siteCenter: "1", siteTopLeft: "2"}

// site returns where the source's chroma lies: left where nothing is said, as
// MPEG-2 and all after it have it. libav's decoders call top left "dv".
func (v Video) site() string {
	switch {
	case v.sampling() != "4:2:0":
		return siteLeft // where the conversion puts it
	case v.ChromaSite == siteCenter || v.ChromaSite == "none":
		return siteCenter
	case v.ChromaSite == siteTopLeft || v.ChromaSite == "dv":
		return siteTopLeft
	default:
		return siteLeft
	}
}

// signal returns what the source's colours become so that the codec's encoder
// can tell them.
func (p *Plan) signal(c colours) colours {
	switch p.Spec.Codec {
	case H264, HEVC: // these tell all there is
	case VP9:
		if c.Range == rangeFull { // vp9enc then leaves the matrix unsaid
			p.Changed = append(p.Changed, "full range becomes limited range: the VP9 encoder does not name it")
			c.Range = rangeLimited
		}
	case AV1:
		// av1enc names no colours at all. Players then go by the rows.
		guess := bt601
		if p.Height > 576 {
			guess = bt709
		}
		if c.Range != guess.Range || c.Matrix != guess.Matrix {
			p.Changed = append(p.Changed, fmt.Sprintf("the colours are converted to %s: the AV1 encoder does not name them", guess))
			return guess
		}
	}
	return c
}

// vp9Colours returns the one colorimetry that vp9enc knows with c's matrix: it
// compares all four numbers. The container gets c.
func vp9Colours(c colours) colours {
	switch c.Matrix {
	case matrix709:
		return bt709
	case matrix601:
		return bt601
	case matrix2020:
		return bt2020
	}
	return c
}

// form plans what brings the decoder's pictures into the form that is upscaled:
// progressive, upright, 4:2:0 of 8 or 10 bits, with colours that are named.
func (p *Plan) form() []Node {
	v := p.Media.Video
	from, site := v.colours(), v.site()
	if v.Orientation != "" {
		// Turned, left becomes above, below or right, which few codecs can name.
		site = siteCenter
		p.Changed = append(p.Changed, fmt.Sprintf("rotation (%s) is applied to the picture", v.Orientation))
	}
	var nodes []Node
	if name := p.rename(from, site); name != "" {
		nodes = append(nodes, named("video/x-raw"+name))
	}
	if v.Interlaced {
		if v.Bits > 8 { // GStreamer's deinterlacers take 8 bits
			nodes = append(nodes, Node{Factory: "videoconvert"}, Node{Caps: "video/x-raw,format={I420,Y42B,Y444}"})
		}
		// greedyl adapts to motion. yadif (1.22) gives the first picture twice and
		// drops the last, greedyh garbles planar video.
		nodes = append(nodes, Node{Factory: "deinterlace", Props: []Prop{{"method", "greedyl"}, {"fields", "top"}}})
		p.Changed = append(p.Changed, "interlaced video is deinterlaced (greedyl), one picture per frame")
	}
	p.colours, p.site = p.signal(from), site
	p.sayForm()
	convert := Node{Factory: "videoconvert", Props: []Prop{{"n-threads", "1"}}}
	if p.colours.Primaries != from.Primaries && p.colours.Transfer != from.Transfer {
		convert.Props = append(convert.Props, Prop{"primaries-mode", "fast"}, Prop{"gamma-mode", "remap"})
	}
	format := "I420"
	if p.bits() > 8 {
		format = "I420_10LE"
	}
	if p.colours.Range != from.Range && p.colours.Matrix == from.Matrix {
		// videoconvert (1.22) copies the planes where the matrix stays, as if the
		// range did too: it goes by way of another matrix.
		way := bt601
		if from.Matrix == matrix601 {
			way = bt709
		}
		way.Transfer, way.Primaries = from.Transfer, from.Primaries
		nodes = append(nodes, Node{Factory: "videoconvert"}, Node{Caps: "video/x-raw,colorimetry=(string)" + way.String()})
	}
	nodes = append(nodes, convert, Node{Caps: fmt.Sprintf("video/x-raw,format=%s,colorimetry=(string)%s,chroma-site=%s", format, p.colours, p.site)})
	if v.Orientation != "" {
		nodes = append(nodes, Node{Factory: "videoflip", Props: []Prop{{"video-direction", "auto"}}})
	}
	return nodes
}

// rename returns the fields of the decoder's caps that leave something open or
// are named otherwise here.
func (p *Plan) rename(c colours, site string) string {
	v, fields := p.Media.Video, ""
	if v.sampling() == "RGB" {
		return ""
	}
	if v.Colorimetry != c.String() {
		fields += ",colorimetry=(string)" + c.String()
	}
	if v.sampling() == "4:2:0" && v.ChromaSite != site {
		fields += ",chroma-site=(string)" + site
	}
	return fields
}

// named adds fields to the caps of a stream and leaves its data alone.
func named(caps string) Node { return Node{Factory: "capssetter", Props: []Prop{{"caps", caps}}} }

// sayForm tells what the form of the pictures loses or keeps.
func (p *Plan) sayForm() {
	v := p.Media.Video
	switch s := v.sampling(); s {
	case "4:2:0", "grey":
	case "RGB":
		p.Changed = append(p.Changed, "RGB becomes 4:2:0 "+p.colours.String())
	default:
		p.Changed = append(p.Changed, s+" chroma becomes 4:2:0")
	}
	if strings.HasPrefix(v.Format, "A") || strings.Contains(v.Format, "BA") || strings.Contains(v.Format, "RA") || strings.Contains(v.Format, "YA") {
		p.Lost = append(p.Lost, "transparency")
	}
	if transfer := hdrTransfer(v.Colorimetry); transfer != "" {
		p.Kept = append(p.Kept, fmt.Sprintf("HDR (%s) with what the source says of its display and light", transfer))
	}
	switch {
	case v.Bits > p.bits():
		p.Changed = append(p.Changed, fmt.Sprintf("%d bits a sample become %d", v.Bits, p.bits()))
	case v.Bits > 8:
		p.Kept = append(p.Kept, fmt.Sprintf("%d bits a sample", v.Bits))
	}
}

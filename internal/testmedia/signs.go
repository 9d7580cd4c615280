package testmedia

import (
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

// poster is a sheet of paper whose text rolls upwards, in sizes from headline
// to small print.
type poster struct {
	sheet         canvas // the whole text, above and below which it repeats
	x, y          int
	width, height int
	edge          ink
}

// articles is what the poster says. Sizes are in 1/720 of the picture's height.
var articles = []struct {
	size  float64
	ttf   []byte
	ruled bool
	text  string
}{
	{46, gobold.TTF, false, "FINE PRINT"},
	{20, goitalic.TTF, true, "a paper for patient readers"},
	{15, goregular.TTF, false, "Every leaf in this picture was drawn by arithmetic, and so was every blade of grass. Nothing was filmed, yet there is more to see than a small screen shows."},
	{12, goregular.TTF, true, "A lens that is asked for twice the detail has two ways to answer. It can spread what it has over more room, or it can have learned what edges look like and draw them."},
	{26, gobold.TTF, false, "WEATHER"},
	{13, gomono.TTF, true, "Mon 17°C  fair    1013 hPa\nTue 14°C  rain     998 hPa\nWed 16°C  cloud   1006 hPa\nThu 21°C  fair    1021 hPa\nFri 19°C  gale     987 hPa"},
	{11, goregular.TTF, false, "The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. How vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow. 0123456789 &@#%§ (a+b)² = a² + 2ab + b²"},
	{10, goitalic.TTF, true, "Whoever reads this line without a glass has good eyes, or a good upscaler, or sits too near. Ask for the manager; mind the gap; keep off the grass between 3 and 5 o'clock."},
	{34, gobold.TTF, false, "Harbour Fair"},
	{16, goregular.TTF, true, "Saturday at noon: boats, bells, bread & butter. The wheel turns until dusk."},
}

func newPoster(v *canvas, x, y, width, height int, u float64) (*poster, error) {
	p := &poster{x: x, y: y, width: width, height: height, edge: v.ink(0.30, 0.20, 0.12)}
	p.sheet = v.sized(width, 4*height)
	paper, black, red := v.ink(0.93, 0.90, 0.82), v.grey(0.07), v.ink(0.70, 0.10, 0.08)
	for sy := range p.sheet.height { // the grain of the paper
		row := p.sheet.row(sy)
		for sx := range row {
			row[sx] = mix(paper, black, int(26*fractal(float64(sx)/3, float64(sy)/2, 3, 227)))
		}
	}
	margin := int(12 * u)
	at := margin
	for _, part := range articles {
		face, err := newFace(part.ttf, part.size*u)
		if err != nil {
			return nil, err
		}
		k := black
		if part.size > 25 {
			k = red
		}
		m := face.Metrics()
		for _, line := range wrap(face, part.text, width-2*margin) {
			p.sheet.write(face, margin, at+m.Ascent.Ceil(), line, k)
			at += m.Height.Ceil()
		}
		if part.ruled {
			at += margin / 2
			p.sheet.line(float64(margin), float64(at), float64(width-margin), float64(at), max(u, 1), black)
			at += margin / 2
		}
	}
	used := min(at+margin, p.sheet.height)
	p.sheet.height, p.sheet.pix = used, p.sheet.pix[:used*width]
	return p, nil
}

func (p *poster) draw(v *canvas, i int, _ float64) {
	v.fill(p.x-6, p.y-6, p.x+p.width+6, p.y+p.height+6, p.edge)
	for y := range p.height {
		vy := p.y + y
		if vy < 0 || vy >= v.height {
			continue
		}
		from, to := max(p.x, 0), min(p.x+p.width, v.width)
		copy(v.row(vy)[from:to], p.sheet.row((y + i) % p.sheet.height)[from-p.x:])
	}
}

// wrap breaks text into lines that fit a width in pixels.
func wrap(face font.Face, text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.SplitAfter(paragraph, " ") {
			if line != "" && font.MeasureString(face, strings.TrimRight(line+word, " ")).Ceil() > width {
				lines = append(lines, line)
				line = ""
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

// ticker is a line of text that runs along the bottom, three pixels a frame.
type ticker struct {
	strip  canvas
	height int
}

const news = "UPSCALED draws this clip itself  ·  moving text, fine lines, foliage, a zone plate and colour, all finer than half the size can hold  ·  " +
	"Ferry 12:45 from pier 7  ·  Lost: one grey cat, answers to “Bilinear”  ·  €1 = 100 cents, 1 KiB = 1024 bytes, 24000/1001 ≈ 23.976  ·  "

func newTicker(v *canvas, u float64) (*ticker, error) {
	face, err := newFace(goregular.TTF, 22*u)
	if err != nil {
		return nil, err
	}
	t := &ticker{height: int(36 * u)}
	t.strip = v.sized(font.MeasureString(face, news).Ceil(), t.height)
	t.strip.fill(0, 0, t.strip.width, t.height, v.ink(0.06, 0.10, 0.22))
	t.strip.fill(0, 0, t.strip.width, max(int(2*u), 1), v.ink(0.85, 0.70, 0.25))
	t.strip.write(face, 0, int(26*u), news, v.grey(0.95))
	return t, nil
}

func (t *ticker) draw(v *canvas, i int, _ float64) {
	at := -(3 * i % t.strip.width)
	for ; at < v.width; at += t.strip.width {
		v.paste(at, v.height-t.height, &t.strip)
	}
}

package score

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Decibel is a PSNR. Equal pictures have +Inf, which JSON writes as null.
type Decibel float64

// MarshalJSON writes a number, or null for +Inf.
func (d Decibel) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(d), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(d))
}

// Figure is how alike one upscaled picture and its original are.
type Figure struct {
	PSNR Decibel `json:"psnr_y_db"`
	SSIM float64 `json:"ssim_y"` // at most 1
}

// Score is the figures of one picture, or their mean.
type Score struct {
	Name    string `json:"name"`
	Width   int    `json:"width,omitempty"`  // of the original, pixels
	Height  int    `json:"height,omitempty"` // of the original, pixels
	Model   Figure `json:"model"`
	Bicubic Figure `json:"bicubic"`
	Lanczos Figure `json:"lanczos"`
}

// Report is the figures of a model on a folder.
type Report struct {
	Model    string  `json:"model"`
	Scale    int     `json:"scale"`
	Border   int     `json:"border"` // pixels left out on each side
	Pictures []Score `json:"pictures"`
	Mean     Score   `json:"mean"`
}

func mean(scores []Score) Score {
	m := Score{Name: "mean"}
	n := float64(len(scores))
	for _, s := range scores {
		m.Model.add(s.Model, n)
		m.Bicubic.add(s.Bicubic, n)
		m.Lanczos.add(s.Lanczos, n)
	}
	return m
}

// add adds one of n figures to their mean.
func (f *Figure) add(g Figure, n float64) {
	f.PSNR += g.PSNR / Decibel(n)
	f.SSIM += g.SSIM / n
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people: a line for each picture, the mean,
// and what the model gains over each plain scaler.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "picture\tsize\t%s\t\tbicubic\t\tLanczos\t\t\n", r.Model)         //nolint:errcheck // Flush tells
	fmt.Fprint(t, "\t\tPSNR-Y dB\tSSIM-Y\tPSNR-Y dB\tSSIM-Y\tPSNR-Y dB\tSSIM-Y\t\n") //nolint:errcheck // Flush tells
	for _, s := range append(r.Pictures[:len(r.Pictures):len(r.Pictures)], r.Mean) {
		size := ""
		if s.Width > 0 {
			size = fmt.Sprintf("%d×%d", s.Width, s.Height)
		}
		fmt.Fprintf(t, "%s\t%s\t", s.Name, size) //nolint:errcheck // Flush tells
		for _, f := range []Figure{s.Model, s.Bicubic, s.Lanczos} {
			fmt.Fprintf(t, "%.2f\t%.4f\t", float64(f.PSNR), f.SSIM) //nolint:errcheck // Flush tells
		}
		fmt.Fprintln(t) //nolint:errcheck // Flush tells
	}
	m := r.Mean
	fmt.Fprintf(t, "gain over\t\t\t\t%+.2f\t%+.4f\t%+.2f\t%+.4f\t\n", //nolint:errcheck // Flush tells
		float64(m.Model.PSNR-m.Bicubic.PSNR), m.Model.SSIM-m.Bicubic.SSIM,
		float64(m.Model.PSNR-m.Lanczos.PSNR), m.Model.SSIM-m.Lanczos.SSIM)
	return t.Flush()
}

package score

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

var update = flag.Bool("update", false, "write the golden files")

// drawing returns a picture with edges, gradients and colour as a PNG file.
func drawing(t testing.TB, width, height, cell int) *fstest.MapFile {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{R: uint8(4 * x), G: uint8(3 * y), B: 90, A: 255}
			if (x/cell+y/cell)%3 == 0 {
				c = color.NRGBA{R: 230, G: 220, B: 40, A: 255}
			}
			img.Set(x, y, c)
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: file.Bytes()}
}

// drawings returns a folder of two pictures in two sizes that are alike.
func drawings(t testing.TB) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"a_SRF_2_LR.png": drawing(t, 23, 17, 3), "a_SRF_2_HR.png": drawing(t, 46, 34, 6),
		"b_SRF_2_LR.png": drawing(t, 16, 20, 5), "b_SRF_2_HR.png": drawing(t, 32, 40, 10),
	}
}

// nearest is a model that repeats samples.
func nearest(in, out frame.Frame) error {
	for c := range 3 {
		small, large := picture.Channel(in, c), picture.Channel(out, c)
		for y := range large.Height {
			for x := range large.Width {
				large.Row(y)[x] = small.Row(min(y/2, small.Height-1))[min(x/2, small.Width-1)]
			}
		}
		if err := large.Store(out, c); err != nil {
			return err
		}
	}
	return nil
}

func TestReport(t *testing.T) {
	var told []string
	report, err := Run(t.Context(), drawings(t), Model{Name: "nearest", Scale: 2, Upscale: nearest}, func(s Score) { told = append(told, s.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(told, " ") != "a b" {
		t.Errorf("told of %v", told)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"table.txt":   func(b *bytes.Buffer) error { return report.WriteTable(b) },
		"report.json": func(b *bytes.Buffer) error { return report.WriteJSON(b) },
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == "report.json" {
			alike(t, got.Bytes(), want)
		} else if got.String() != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got.String(), want)
		}
	}
}

// alike compares two reports; their figures may differ by the last digits,
// which depend on whether a machine fuses multiplication and addition.
func alike(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w Report
	for data, r := range map[*[]byte]*Report{&got: &g, &want: &w} {
		if err := json.Unmarshal(*data, r); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.Pictures) != len(w.Pictures) {
		t.Fatalf("%d pictures, want %d", len(g.Pictures), len(w.Pictures))
	}
	pairs := [][2]Score{{g.Mean, w.Mean}}
	for i := range g.Pictures {
		pairs = append(pairs, [2]Score{g.Pictures[i], w.Pictures[i]})
	}
	for _, p := range pairs {
		for _, f := range [][2]Figure{{p[0].Model, p[1].Model}, {p[0].Bicubic, p[1].Bicubic}, {p[0].Lanczos, p[1].Lanczos}} {
			if math.Abs(float64(f[0].PSNR-f[1].PSNR)) > 1e-6 || math.Abs(f[0].SSIM-f[1].SSIM) > 1e-6 {
				t.Errorf("%s: got %+v, want %+v", p[0].Name, f[0], f[1])
			}
		}
	}
}

// TestWhatTheModelGets checks the frames of both kinds of model.
func TestWhatTheModelGets(t *testing.T) {
	folder := fstest.MapFS{"LR/x.png": drawing(t, 15, 14, 3), "HR/x.png": drawing(t, 30, 28, 6)}
	low, err := decode(folder, "LR/x.png")
	if err != nil {
		t.Fatal(err)
	}
	luma := picture.Studio(low)
	luma.Round(255)
	for _, rgb := range []bool{false, true} {
		m := Model{Name: "m", Scale: 2, RGB: rgb, Upscale: func(in, out frame.Frame) error {
			if err := errors.Join(in.Check(), out.Check()); err != nil || out.Layout != in.Scaled(2) {
				t.Errorf("frames %+v and %+v: %v", in.Layout, out.Layout, err)
			}
			want, l := [3]picture.Plane{luma}, frame.Layout{Format: frame.I420, Width: 15, Height: 14, Matrix: frame.BT601, Site: frame.SiteCenter}
			if rgb {
				want, l.Format, l.Range = low, frame.RGB, frame.Full
			} else {
				want[1] = picture.NewPlane(8, 7)
				for i := range want[1].Pix {
					want[1].Pix[i] = 128
				}
				want[2] = want[1]
			}
			if in.Layout != l {
				t.Errorf("layout %+v, want %+v", in.Layout, l)
			}
			for c, w := range want {
				if got, err := picture.PSNR(picture.Channel(in, c), w, 255, 0); err != nil || !math.IsInf(got, 1) {
					t.Errorf("rgb %v: channel %d differs: %v dB, %v", rgb, c, got, err)
				}
			}
			return nearest(in, out)
		}}
		if _, err := Run(t.Context(), folder, m, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPerfectModel(t *testing.T) {
	folder := fstest.MapFS{"x_LR.png": drawing(t, 12, 12, 3), "x_HR.png": drawing(t, 24, 24, 6)}
	high, err := decode(folder, "x_HR.png")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), folder, Model{Scale: 2, RGB: true, Upscale: func(_, out frame.Frame) error {
		for c, p := range high {
			if err := p.Store(out, c); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
	if err != nil || !math.IsInf(float64(report.Mean.Model.PSNR), 1) || math.Abs(report.Mean.Model.SSIM-1) > 1e-12 {
		t.Fatalf("%+v, %v", report.Mean, err)
	}
	var out bytes.Buffer
	if err := report.WriteJSON(&out); err != nil || !strings.Contains(out.String(), `"psnr_y_db": null`) {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestRunRefuses(t *testing.T) {
	broken := errors.New("out of memory")
	ended := errors.New("interrupted")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(ended)
	good := Model{Scale: 2, Upscale: nearest}
	for name, test := range map[string]struct {
		ctx       context.Context //nolint:containedctx // of one call in a table
		low, high *fstest.MapFile
		model     Model
		want      error
		says      string
	}{
		"an odd original":   {t.Context(), drawing(t, 12, 12, 3), drawing(t, 25, 24, 3), good, ErrSize, "crop the original to a multiple of 2"},
		"another scale":     {t.Context(), drawing(t, 12, 12, 3), drawing(t, 36, 36, 3), good, ErrSize, "36×36 is not 2 times 12×12"},
		"too small to tell": {t.Context(), drawing(t, 5, 5, 3), drawing(t, 10, 10, 3), good, picture.ErrSize, "10×10"},
		"not a picture":     {t.Context(), &fstest.MapFile{Data: []byte("GIF89a")}, drawing(t, 24, 24, 3), good, ErrPicture, "x_LR.png"},
		"half a picture":    {t.Context(), drawing(t, 12, 12, 3), &fstest.MapFile{Data: drawing(t, 24, 24, 3).Data[:90]}, good, ErrPicture, "x_HR.png"},
		"a failing model":   {t.Context(), drawing(t, 12, 12, 3), drawing(t, 24, 24, 3), Model{Scale: 2, Upscale: func(_, _ frame.Frame) error { return broken }}, broken, "x: upscale"},
		"no scale":          {t.Context(), drawing(t, 12, 12, 3), drawing(t, 24, 24, 3), Model{Upscale: nearest}, ErrSize, "scale 0"},
		"being stopped":     {stopped, drawing(t, 12, 12, 3), drawing(t, 24, 24, 3), good, ended, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run(test.ctx, fstest.MapFS{"x_LR.png": test.low, "x_HR.png": test.high}, test.model, nil)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestResearchSets checks the rows of the plain scalers on the two sets that
// the protocol names.
func TestResearchSets(t *testing.T) {
	images := filepath.Join("..", "..", "..", "shared", "images")
	if _, err := os.Stat(images); err != nil {
		t.Skipf("the research sets are not beside the repository: %v", err)
	}
	for set, want := range map[string][2]string{"Set5": {"33.67", "34.31"}, "Set14": {"30.33", "30.78"}} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			report, err := Run(t.Context(), os.DirFS(filepath.Join(images, set)), Model{Name: "nearest", Scale: 2, Upscale: nearest}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var table bytes.Buffer
			if err := report.WriteTable(&table); err != nil {
				t.Fatal(err)
			}
			mean := strings.Fields(table.String()[strings.Index(table.String(), "mean"):])
			if mean[3] != want[0] || mean[5] != want[1] {
				t.Errorf("want bicubic %s and Lanczos %s:\n%s", want[0], want[1], table.String())
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(drawing(f, 4, 3, 2).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			t.Skip("large pictures take long and show nothing new")
		}
		planes, err := decode(fstest.MapFS{"x.png": &fstest.MapFile{Data: data}}, "x.png")
		if err != nil {
			if !errors.Is(err, ErrPicture) {
				t.Fatalf("an error without a name: %v", err)
			}
			return
		}
		for _, p := range planes {
			if len(p.Pix) != p.Width*p.Height || p.Width < 1 || p.Height < 1 {
				t.Fatalf("plane of %d×%d with %d samples", p.Width, p.Height, len(p.Pix))
			}
		}
	})
}

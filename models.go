package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/models/score"
)

// modelsCommand groups what is about models.
type modelsCommand struct {
	List  modelsListCommand  `cmd:"" help:"List the known models."`
	Show  modelsShowCommand  `cmd:"" help:"Tell what running it proves of a model."`
	Score modelsScoreCommand `cmd:"" help:"Measure a model on pairs of pictures, beside bicubic and Lanczos."`
}

// modelsListCommand lists the known models.
type modelsListCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists.
func (c *modelsListCommand) Run(a *app) error {
	known, err := models.List()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.stdout, known)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSCALE\tKIND\tLICENCE\tTITLE")
	for _, m := range known {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", m.ID, m.Scale, m.Kind, m.Licence, m.Title)
	}
	return w.Flush()
}

// modelsShowCommand tells the facts of a model.
type modelsShowCommand struct {
	Model string `arg:"" help:"Id, or path of an ONNX file."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// facts are what running a model proves.
type facts struct {
	Name     string  `json:"name"`
	SHA256   string  `json:"sha256"`
	Kind     string  `json:"kind"`
	Scale    int     `json:"scale"`
	Input    string  `json:"input"`
	InType   string  `json:"input_type"`
	OutType  string  `json:"output_type"`
	White    float64 `json:"white"`
	Multiple [2]int  `json:"size_multiple"`
	Fixed    [2]int  `json:"fixed_size"` // 0: any
}

// Run loads the model, which runs it.
func (c *modelsShowCommand) Run(a *app) error {
	if err := a.open(); err != nil {
		return job.WithCode(err)
	}
	m, err := a.model(c.Model)
	if err != nil {
		return job.WithCode(err)
	}
	f := m.Facts()
	shown := facts{
		Name: m.Name(), SHA256: m.SHA256(), Kind: f.Kind.String(), Scale: f.Scale, Input: f.Input, InType: f.InType.String(),
		OutType: f.OutType.String(), White: f.Peak, Multiple: [2]int{f.MultipleW, f.MultipleH}, Fixed: [2]int{f.Width, f.Height},
	}
	if c.JSON {
		return printJSON(a.stdout, shown)
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n  sha256    %s\n  kind      %s, ×%d\n  input     %s, %s in, %s out, white is %g\n  sizes     multiples of %d×%d, fixed %d×%d (0: any)\n",
		shown.Name, shown.SHA256, shown.Kind, shown.Scale, shown.Input, shown.InType, shown.OutType, shown.White,
		shown.Multiple[0], shown.Multiple[1], shown.Fixed[0], shown.Fixed[1])
	return err
}

// modelsScoreCommand measures a model.
type modelsScoreCommand struct {
	Dir      string `arg:"" type:"existingdir" help:"Folder with pairs of pictures: NAME_LR.png and NAME_HR.png, or LR/NAME.png and HR/NAME.png."`
	Model    string `default:"${default_model}" help:"Id, or path of an ONNX file."`
	Provider string `default:"cpu" help:"Where the model runs."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run measures and prints PSNR and SSIM of luma.
func (c *modelsScoreCommand) Run(ctx context.Context, a *app) error {
	if err := a.open(); err != nil {
		return job.WithCode(err)
	}
	m, err := a.model(c.Model)
	if err != nil {
		return job.WithCode(err)
	}
	runner := &stills{a: a, model: m, provider: c.Provider}
	report, err := score.Run(ctx, os.DirFS(c.Dir), score.Model{
		Name: m.Name(), Scale: m.Facts().Scale, RGB: m.Facts().Kind == graph.RGB, Upscale: runner.upscale,
	}, func(s score.Score) { a.log.Info("scored", "picture", s.Name) })
	if err != nil {
		return err
	}
	if c.JSON {
		return report.WriteJSON(a.stdout)
	}
	return report.WriteTable(a.stdout)
}

// stills upscales pictures of changing sizes.
type stills struct {
	a        *app
	model    *infer.Model
	provider string
}

func (s *stills) upscale(in, out frame.Frame) (err error) {
	u, err := infer.New(s.a.rt, s.model, infer.Config{In: in.Layout, Provider: s.provider, Log: s.a.log})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, u.Close()) }()
	return u.Run(in, out, 1)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

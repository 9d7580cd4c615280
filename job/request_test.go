package job

import (
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/pipeline"
)

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name      string
		in        Request
		output    string
		container pipeline.Container
		err       string // part of the sentence
	}{
		{"beside the input", Request{Input: "/a/film.avi"}, "/a/film.upscaled.mkv", pipeline.Matroska, ""},
		{"no extension", Request{Input: "film"}, "film.upscaled.mkv", pipeline.Matroska, ""},
		{"mp4 beside", Request{Input: "film.mkv", Container: pipeline.MP4}, "film.upscaled.mp4", pipeline.MP4, ""},
		{"by the name", Request{Input: "film.mkv", Output: "big.MP4"}, "big.MP4", pipeline.MP4, ""},
		{"they differ", Request{Input: "film.mkv", Output: "big.mp4", Container: pipeline.Matroska}, "", "", "not the name of an mkv file"},
		{"other name", Request{Input: "film.mkv", Output: "big.avi"}, "", "", "must end in .mkv or .mp4"},
		{"other name, container given", Request{Input: "film.mkv", Output: "big", Container: pipeline.MP4}, "", "", "must end in .mkv or .mp4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.in.resolve()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || pipeline.CodeOf(err) != pipeline.CodeSpec {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil || got.Output != c.output || got.Container != c.container || got.Speed != pipeline.Balanced {
				t.Errorf("got %s, %s, %s, %v", got.Output, got.Container, got.Speed, err)
			}
		})
	}
}

package pipeline

import (
	"testing"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestPlayStatsOutlastTheRun proves that what a run has done is known after its end:
// a worker adds up its runs.
func TestPlayStatsOutlastTheRun(t *testing.T) {
	t.Parallel()
	const frames = 60
	in := counted(t, testmedia.Spec{Width: 160, Height: 120, Rate: testmedia.Ratio{Num: 25, Den: 1}, Frames: frames},
		"-an", "-c:v", "libx264", "-preset", "ultrafast", "in.mkv")
	f := opened(t, in)
	r, err := PlayVideo(f, playPlan(t, f, playSpec()), 0, &collector{}, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Encoded != frames || s.Upscaled != frames || s.Plain != 0 || s.Model.Model == "" {
		t.Errorf("%+v", s)
	}
}

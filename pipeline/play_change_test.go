package pipeline

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/models"
)

// TestPlayKeepsChangesWhenBuiltAnew changes everything that can be changed live of
// a run that then finds that its source went too far, and holds it against one that
// was so from the beginning.
func TestPlayKeepsChangesWhenBuiltAnew(t *testing.T) {
	t.Parallel()
	in := counted(t, testmedia.Spec{Width: 160, Height: 120, Frames: 72}, "-an", "-c:v", "libx264", "-preset", "ultrafast", "-g", "24", "in.mkv")
	f := opened(t, in)
	colours := filters.Neutral()
	colours.Brightness, colours.Saturation = 0.1, 0.5
	changed := playSpec()
	changed.Model, changed.Strength, changed.Filters = models.Default, 0.3, colours
	want := playVideo(t, f, playPlan(t, f, changed), 1)
	p := playPlan(t, f, playSpec())
	if same(playVideo(t, f, p, 1), want) {
		t.Fatal("the changes change nothing")
	}

	got := &collector{}
	r, err := PlayVideo(f, p, 1, got, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	mustBegin(r.built.branches[p.Media.Video.StreamID].head, -time.Hour)
	for _, err := range []error{r.SetModel(changed.Model), r.SetStrength(changed.Strength), r.SetFilters(colours, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !r.again {
		t.Fatal("it was not built anew")
	}
	if !same(got, want) {
		t.Error("it shows other pictures than one that was so from the beginning")
	}
}

// same reports whether two runs made the same packets.
func same(a, b *collector) bool {
	return slices.EqualFunc(a.packets, b.packets, func(a, b Packet) bool { return a.PTS == b.PTS && bytes.Equal(a.Data, b.Data) })
}

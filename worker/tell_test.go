package worker

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestWhatIsToldFits tells of a film with as many tracks as a file may have, whose titles are as long and as hard to
// write as they can be.
func TestWhatIsToldFits(t *testing.T) {
	const tracks = 1000
	title := strings.Repeat("\x01", 100_000)
	var p pipeline.PlayPlan
	for range tracks {
		track := pipeline.Track{Caps: "audio/mpeg", Title: title, Language: title}
		p.Audio = append(p.Audio, pipeline.SoundPlan{Track: track, Rate: 48000})
		p.Text = append(p.Text, pipeline.TextPlan{Track: track})
		p.Notes = append(p.Notes, title)
	}
	var sent bytes.Buffer
	conn := wire.NewConn(&sent)
	if err := conn.Write(wire.Reply{Opened: describe(p, nil)}); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Read()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := m.(wire.Reply)
	if o := got.Opened; len(o.Audio) != wire.MaxAudio || len(o.Text) != wire.MaxText || len(o.Plan) != wire.MaxPlan {
		t.Fatalf("%d tracks of sound, %d of text, %d sentences", len(o.Audio), len(o.Text), len(o.Plan))
	}
	for _, want := range []string{
		"936 tracks of sound after the first 64", "744 tracks of subtitles after the first 256", "747 more",
	} {
		if !slices.Contains(got.Opened.Plan, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if err := conn.Write(wire.Reply{Prepared: describeJob(pipeline.Plan{Kept: p.Notes}, nil)}); err != nil {
		t.Error(err)
	}
	failed := public(&pipeline.Error{Code: pipeline.CodeDamaged, Sentence: title})
	if err := conn.Write(wire.Ended{Error: failed}); err != nil {
		t.Error(err)
	}
}

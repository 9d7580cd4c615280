package worker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Bounds of what the server is told, in bytes, so that all that wire lets a film have fits into a message.
const (
	maxTitle    = 200
	maxSentence = 500
	maxDetail   = 4 << 10
)

// bounded leaves out of what is told of a film what is more than wire.MaxAudio, MaxText and MaxPlan, and says so.
func bounded(o *wire.Opened) *wire.Opened {
	var left []string
	if n := len(o.Audio) - wire.MaxAudio; n > 0 {
		o.Audio, left = o.Audio[:wire.MaxAudio], append(left, fmt.Sprintf("%d tracks of sound after the first %d", n, wire.MaxAudio))
	}
	if n := len(o.Text) - wire.MaxText; n > 0 {
		o.Text, left = o.Text[:wire.MaxText], append(left, fmt.Sprintf("%d tracks of subtitles after the first %d", n, wire.MaxText))
	}
	for i := range o.Audio {
		o.Audio[i].Language, o.Audio[i].Title = cut(o.Audio[i].Language, maxTitle), cut(o.Audio[i].Title, maxTitle)
	}
	for i := range o.Text {
		o.Text[i].Language, o.Text[i].Title = cut(o.Text[i].Language, maxTitle), cut(o.Text[i].Title, maxTitle)
	}
	o.Plan = sentences(slices.Concat(left, o.Plan))
	return o
}

// sentences bounds a plan.
func sentences(plan []string) []string {
	if n := len(plan) - wire.MaxPlan; n > 0 {
		plan = append(slices.Clip(plan[:wire.MaxPlan-1]), fmt.Sprintf("%d more", n+1))
	}
	for i, s := range plan {
		plan[i] = cut(s, maxSentence)
	}
	return plan
}

// cut returns at most n bytes of a text.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

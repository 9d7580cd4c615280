package pipeline

import (
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/container"
)

// tags are the source's for the tracks that are carried over and for the whole,
// without what is no longer true.
func (p *Plan) tags() []container.Tag {
	carried := map[uint64]bool{}
	for _, t := range p.Changes.Tracks {
		carried[t.UID] = true
	}
	kept := []container.Tag{}
	for _, tag := range p.Media.Extras.Tags {
		all := tag.Targets.Tracks
		tag.Targets.Tracks = slices.DeleteFunc(slices.Clone(all), func(uid uint64) bool { return uid != 0 && !carried[uid] })
		if len(all) > 0 && len(tag.Targets.Tracks) == 0 {
			continue
		}
		copied := len(all) > 0 && !slices.ContainsFunc(all, func(uid uint64) bool { return uid == 0 || p.anew[uid] })
		tag.Values = slices.DeleteFunc(slices.Clone(tag.Values), func(v container.TagValue) bool {
			return len(all) > 0 && isStatistic(v.Name) || !copied && isEncoding(v.Name)
		})
		if len(tag.Values) > 0 {
			kept = append(kept, tag)
		}
	}
	return kept
}

// isStatistic reports whether a track's tag counts what is in the source, which
// a part of it, or its upscaled picture, has not. The names are those that
// mkvmerge and ffmpeg write, some with a language behind.
func isStatistic(name string) bool {
	name, _, _ = strings.Cut(name, "-")
	switch name {
	case "BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "SOURCE_ID":
		return true
	}
	return strings.HasPrefix(name, "_STATISTICS_")
}

// isEncoding reports whether a tag tells by what something was encoded.
func isEncoding(name string) bool { return name == "ENCODER" || name == "ENCODER_SETTINGS" }

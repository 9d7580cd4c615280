package pipeline

// Need is an element that the pipelines of this package are made of.
type Need struct {
	Element string
	Package string // of Debian, that holds it
}

// Needed lists the elements without which a common file cannot be transcoded,
// with the Debian packages that hold them. Decoders are chosen per file.
func Needed() []Need {
	const base, good, bad, ugly, libav = "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-bad",
		"gstreamer1.0-plugins-ugly", "gstreamer1.0-libav"
	return []Need{
		{"filesrc", "libgstreamer1.0-0"},
		{"queue", "libgstreamer1.0-0"},
		{"fdsink", "libgstreamer1.0-0"},
		{"parsebin", base},
		{"ssaparse", base},
		{"decodebin", base},
		{"appsrc", base},
		{"appsink", base},
		{"videoconvert", base},
		{"videoscale", base},
		{"audioconvert", base},
		{"audioresample", base},
		{"opusenc", base},
		{"deinterlace", good},
		{"videoflip", good},
		{"matroskademux", good},
		{"qtdemux", good},
		{"matroskamux", good},
		{"mp4mux", good},
		{"flacenc", good},
		{"flacparse", good},
		{"aacparse", good},
		{"mpegaudioparse", good},
		{"ac3parse", good},
		{"vp8dec", good},
		{"vp9enc", good},
		{"capssetter", good},
		{"h264parse", bad},
		{"h265parse", bad},
		{"av1parse", bad},
		{"vp9parse", bad},
		{"tsdemux", bad},
		{"mpegtsmux", bad},
		{"dcaparse", bad},
		{"x265enc", bad},
		{"av1enc", bad},
		{"x264enc", ugly},
		{"avdec_h264", libav},
		{"avdec_h265", libav},
		{"avdec_mpeg2video", libav},
		{"avdec_aac", libav},
		{"avenc_aac", libav},
	}
}

// Codecs lists the video codecs that can be asked for.
func Codecs() []VideoCodec { return []VideoCodec{H264, HEVC, AV1, VP9} }

// Encoders returns the encoder factories that are here, by codec.
func Encoders(has func(factory string) bool) map[string][]string {
	found := map[string][]string{}
	for _, c := range Codecs() {
		for _, f := range codecTable[c].encoder {
			if has(f) {
				found[string(c)] = append(found[string(c)], f)
			}
		}
	}
	return found
}

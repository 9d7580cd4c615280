package wire

// unknownRate is the frame rate that a film with a varying one is reckoned with.
const unknownRate = 30

// Predict returns what a second of a film takes, from what a million pixels took
// when the machine was measured.
func (c Costs) Predict(v VideoInfo) Cost {
	rate := float64(unknownRate)
	if v.Rate[0] > 0 && v.Rate[1] > 0 {
		rate = float64(v.Rate[0]) / float64(v.Rate[1])
	}
	in := float64(v.SourceSize[0]*v.SourceSize[1]) / 1e6 * rate
	out := float64(v.Size[0]*v.Size[1]) / 1e6 * rate
	p := Cost{Decode: c.Decode * in, Upscale: c.Upscale * in, Encode: c.Encode * out, GPUMS: c.GPU * in}
	p.CoreMS = p.Decode + p.Upscale + p.Encode
	return p
}

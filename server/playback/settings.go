package playback

import "github.com/upscaled-media/upscaled/server/session"

// Settings returns how an order has the picture made, and the ids of filters that
// were out of their ranges.
func (d *Desk) Settings(o Order) (s session.Settings, clamped []string, err error) {
	s = o.request(d.Defaults).Settings
	if _, err := Scale(d.Models, s.Model); err != nil {
		return s, nil, err
	}
	clamped, err = d.Grade(&s, o.Look)
	return s, clamped, err
}

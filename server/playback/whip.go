package playback

import (
	"crypto/rand"
	"strings"
	"time"
)

// Whip is where a page may send its own picture to have it back upscaled.
type Whip struct {
	WHIP    string    `json:"whip" example:"/v1/whip/fqsrb6pdp2d7…/…" doc:"Where its offer goes, with ?return=sendrecv and how the picture is to be made."`
	Expires time.Time `json:"expires"`
}

// Whip signs such a URL, which lets nobody watch a session.
func (d *Desk) Whip() Whip {
	ticket := "whip-" + strings.ToLower(rand.Text())
	capability, expires := d.Signer.SignTicket(ticket)
	return Whip{WHIP: "/v1/whip/" + ticket + "/" + capability, Expires: expires.UTC()}
}

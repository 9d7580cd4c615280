package api

import (
	"context"
	"errors"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/webrtc"
)

// Peers connects browsers; *webrtc.Server is one.
type Peers interface {
	Watch(ctx context.Context, session, offer string) (webrtc.Answer, error)
	Loop(ctx context.Context, about session.About, offer string) (webrtc.Answer, error)
	HangUp(ctx context.Context, session, peer string) error
}

// sdpType is the media type of offers and answers.
const sdpType = "application/sdp"

// Offer is the body of a request for a connection.
type Offer struct {
	ContentType string `header:"Content-Type"`
	RawBody     []byte `contentType:"application/sdp"`
}

// Capability stands in a path in place of the token.
type Capability struct {
	Capability string `path:"capability" maxLength:"64" doc:"As it was signed."`
}

// PeerID names a connection.
type PeerID struct {
	Peer string `path:"peer" pattern:"^[a-z2-7]{26}$" doc:"As the answer's Location has it."`
}

type watchInput struct {
	SessionID
	Offer
}

type watchSignedInput struct {
	SessionID
	Capability
	Offer
}

type hangUpInput struct {
	SessionID
	PeerID
}

type hangUpSignedInput struct {
	SessionID
	Capability
	PeerID
}

// Loop is how a page's own picture is made.
type Loop struct {
	Return   string  `query:"return" required:"true" enum:"sendrecv" doc:"The picture is returned over the connection that brings it."`
	Model    string  `query:"model" maxLength:"128" doc:"Id of the model, one of /v1/models; models.default without."`
	Provider string  `query:"provider" enum:"auto,tensorrt,cuda,openvino,webgpu,cpu" doc:"What runs the model; models.provider without."`
	Device   int     `query:"device" minimum:"0" maximum:"63" doc:"Number of the provider's device."`
	Strength float64 `query:"strength" minimum:"0" maximum:"1" default:"1" doc:"Share of the model in the picture; the rest is a plain upscale."`
	Preset   string  `query:"preset" maxLength:"64" doc:"One of the presets of /v1/filters."`
	Height   int     `query:"height" minimum:"0" maximum:"4320" doc:"Rows of the picture; 0: the source's times the model's scale."`
	Quality  int     `query:"quality" minimum:"-1" maximum:"51" default:"-1" doc:"x264's constant rate factor, lower is better; -1: the usual."`
	MaxRate  int     `query:"max_rate" minimum:"0" maximum:"200000" doc:"Bound of the bit rate in kbit/s; 0: the usual of the size."`
}

type loopInput struct {
	Loop
	Offer
}

type loopSignedInput struct {
	Ticket string `path:"id" maxLength:"64" doc:"What the capability is of."`
	Capability
	Loop
	Offer
}

type answerOutput struct {
	ContentType string   `header:"Content-Type"`
	Location    string   `header:"Location" doc:"Path of the connection, which DELETE ends."`
	Session     string   `header:"Upscaled-Session" doc:"Id of the session."`
	Warnings    []string `header:"Upscaled-Warning" doc:"Code of what is left out, as in sound_left_out."`
	Body        []byte
}

type whipOutput struct {
	Body playback.Whip
}

// Paths of WebRTC. Those with a capability are for pages, which should not have the token.
const (
	whepPath       = "/v1/sessions/{id}/whep"
	whepSignedPath = "/v1/sessions/{id}/media/{capability}/whep"
	whipPath       = "/v1/whip"
	whipSignedPath = "/v1/whip/{id}/{capability}"
)

// registerPeers adds what connects browsers.
func (a *API) registerPeers() {
	const watching = "WHEP: the body is an offer to receive a picture of H.264, and sound of Opus; the answer has all addresses. " +
		"A session's sound is sent where it is Opus; otherwise Upscaled-Warning says sound_left_out. docs/webrtc.md has an example."
	register(a, sdp(op(http.MethodPost, whepPath, "watch-session", "Watch a session by WebRTC", watching, created, 404, 410, 413, 415, 422, 503)),
		func(ctx context.Context, in *watchInput) (*answerOutput, error) {
			return a.watch(ctx, in.ID, "/v1/sessions/"+in.ID+"/whep/", in.Offer)
		})
	register(a, sdp(public(op(http.MethodPost, whepSignedPath, "watch-session-signed", "Watch a session by WebRTC, without the token",
		"What urls.whep of a session names.", created, 404, 410, 413, 415, 422, 503))),
		func(ctx context.Context, in *watchSignedInput) (*answerOutput, error) {
			return a.watch(ctx, in.ID, "/v1/sessions/"+in.ID+"/media/"+in.Capability.Capability+"/whep/", in.Offer)
		})
	register(a, op(http.MethodDelete, whepPath+"/{peer}", "hang-up", "End a connection", "What Location of an answer names.", noContent, 404),
		func(ctx context.Context, in *hangUpInput) (*nothing, error) { return a.hangUp(ctx, in.ID, in.Peer) })
	register(a, public(op(http.MethodDelete, whepSignedPath+"/{peer}", "hang-up-signed", "End a connection, without the token", "", noContent, 404)),
		func(ctx context.Context, in *hangUpSignedInput) (*nothing, error) {
			return a.hangUp(ctx, in.ID, in.Peer)
		})

	const looping = "The body is an offer to send a picture of H.264 or VP8, and sound of Opus, and to receive H.264 and Opus, in the same sections " +
		"of it or in others. The session ends with the connection. docs/webrtc.md has an example."
	register(a, sdp(op(http.MethodPost, whipPath, "loop", "Have a page's own picture upscaled", looping, created, 404, 413, 415, 422, 503)),
		func(ctx context.Context, in *loopInput) (*answerOutput, error) {
			out, err := a.loop(ctx, in.Loop, in.Offer)
			if err == nil {
				out.Location = "/v1/sessions/" + out.Session + "/whep/" + out.Location
			}
			return out, err
		})
	register(a, sdp(public(op(http.MethodPost, whipSignedPath, "loop-signed", "Have a page's own picture upscaled, without the token",
		"What POST /v1/whip/urls names.", created, 404, 413, 415, 422, 503))),
		func(ctx context.Context, in *loopSignedInput) (*answerOutput, error) {
			out, err := a.loop(ctx, in.Loop, in.Offer)
			if err == nil {
				base, _ := a.o.Desk.Media(out.Session)
				out.Location = base + "/whep/" + out.Location
			}
			return out, err
		})
	register(a, op(http.MethodPost, whipPath+"/urls", "sign-whip", "Sign a URL that a page may send its picture to", "Whoever has it may begin sessions until it expires."),
		func(context.Context, *struct{}) (*whipOutput, error) { return &whipOutput{a.o.Desk.Whip()}, nil })
}

// sdp says that bodies are session descriptions.
func sdp(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{"201": {
		Description: "The answer.", Content: map[string]*huma.MediaType{sdpType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return o
}

// public says that an operation needs no token.
func public(o huma.Operation) huma.Operation {
	o.Security = []map[string][]string{{}}
	return o
}

// text returns the offer.
func (o Offer) text() (string, error) {
	if kind, _, err := mime.ParseMediaType(o.ContentType); err != nil || kind != sdpType {
		return "", problem.New(problem.UnsupportedType, "the body must be of the type %s", sdpType).Taking(sdpType)
	}
	return string(o.RawBody), nil
}

// watch connects a browser to a session.
func (a *API) watch(ctx context.Context, id, location string, o Offer) (*answerOutput, error) {
	text, err := o.text()
	if err != nil {
		return nil, err
	}
	answer, err := a.o.Peers.Watch(ctx, id, text)
	if err != nil {
		return nil, peerProblem(err)
	}
	out := answered(answer)
	out.Location = location + answer.Peer
	return out, nil
}

// loop begins the session of a page. The answer's Location is the connection's id alone.
func (a *API) loop(ctx context.Context, l Loop, o Offer) (*answerOutput, error) {
	text, err := o.text()
	if err != nil {
		return nil, err
	}
	settings, _, err := a.o.Desk.Settings(playback.Order{
		Model: l.Model, Provider: l.Provider, Device: l.Device, Strength: &l.Strength, Look: playback.Look{Preset: l.Preset},
		Output: playback.Output{Height: &l.Height, Quality: &l.Quality, MaxRate: &l.MaxRate},
	})
	if err != nil {
		return nil, err
	}
	answer, err := a.o.Peers.Loop(ctx, session.About{Kind: session.KindLive, Source: "player", Settings: settings}, text)
	if err != nil {
		return nil, peerProblem(err)
	}
	out := answered(answer)
	out.Location = answer.Peer
	return out, nil
}

func answered(a webrtc.Answer) *answerOutput {
	out := &answerOutput{ContentType: sdpType, Session: a.Session, Body: []byte(a.SDP)}
	for _, w := range a.Warnings {
		out.Warnings = append(out.Warnings, w.Code)
	}
	return out
}

func (a *API) hangUp(ctx context.Context, id, peer string) (*nothing, error) {
	return &nothing{}, peerProblem(a.o.Peers.HangUp(ctx, id, peer))
}

// peerProblem returns what a client is told of an error of package webrtc; others are told by playback.Problem.
func peerProblem(err error) error {
	switch {
	case errors.Is(err, webrtc.ErrOffer):
		return problem.New(problem.OfferRefused, "%s", err).Because(err)
	case errors.Is(err, webrtc.ErrFull):
		return problem.New(problem.TooManyPeers, "").Because(err)
	case errors.Is(err, webrtc.ErrNotFound):
		return problem.New(problem.PeerUnknown, "").Because(err)
	case errors.Is(err, webrtc.ErrNotReady):
		return problem.New(problem.NotReady, "WebRTC is not running").Because(err)
	case errors.Is(err, webrtc.ErrPorts):
		return problem.New(problem.NotReady, "%s: see webrtc.ports and webrtc.addresses", err).Because(err)
	}
	return err
}

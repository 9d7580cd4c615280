package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/playback"
)

// SessionID names a session; huma passes over fields that are not exported. Ids are those that the server gives: nothing else is
// looked up.
type SessionID struct {
	ID string `path:"id" pattern:"^[a-z2-7]{26}$" doc:"Id of the session." example:"wkqvqfw5xhxdkbtblcvdygoqh4"`
}

type createInput struct {
	Body playback.Order
}

type createOutput struct {
	Location string `header:"Location" doc:"The session's path."`
	Body     playback.Session
}

type sessionOutput struct {
	Body playback.Session
}

type listOutput struct {
	Body struct {
		Sessions []playback.Session `json:"sessions" doc:"In the order of their begin; those that ended a short time ago among them."`
	}
}

type changeInput struct {
	SessionID
	Body playback.Change
}

type seekInput struct {
	SessionID
	Body playback.Seek
}

type pingInput struct {
	SessionID
	Body *playback.Ping
}

type urlsOutput struct {
	Body playback.URLs
}

// nothing is the answer without a body.
type nothing struct{}

// registerSessions adds what is about sessions.
func (a *API) registerSessions() {
	desk := a.o.Desk
	register(a, op(http.MethodPost, "/v1/sessions", "create-session", "Create a session",
		"Opens a film and begins to make it. The answer comes when the film is open; its first segment is being made then. "+
			"503 with figures and Retry-After when the machine has no room.", created, 403, 404, 422, 502, 503, 504),
		func(ctx context.Context, in *createInput) (*createOutput, error) {
			s, err := desk.Create(ctx, in.Body)
			return &createOutput{Location: "/v1/sessions/" + s.ID, Body: s}, err
		})
	register(a, op(http.MethodGet, "/v1/sessions", "list-sessions", "List the sessions", "All of them."),
		func(context.Context, *struct{}) (*listOutput, error) {
			out := &listOutput{}
			out.Body.Sessions = desk.List()
			return out, nil
		})
	register(a, op(http.MethodGet, "/v1/sessions/{id}", "get-session", "Get a session",
		"Also one that ended within the last minutes. The URLs are signed anew each time.", 404),
		func(_ context.Context, in *SessionID) (*sessionOutput, error) { return answer(desk.Get(in.ID)) })
	register(a, op(http.MethodPatch, "/v1/sessions/{id}", "change-session", "Change how the picture is made",
		"Takes effect between two frames, or, where the codec's data change, from the next segment that is made. "+
			"The answer comes when the worker has taken it; after an error all is as before.", 404, 410, 422, 504),
		func(ctx context.Context, in *changeInput) (*sessionOutput, error) {
			return answer(desk.Change(ctx, in.ID, in.Body))
		})
	register(a, op(http.MethodDelete, "/v1/sessions/{id}", "delete-session", "End a session",
		"The answer comes when its worker is gone. A session that has ended, or that there is not, is no error.", noContent),
		func(ctx context.Context, in *SessionID) (*nothing, error) { return &nothing{}, desk.Delete(ctx, in.ID) })
	a.registerSteering()
}

// registerSteering adds what moves a session.
func (a *API) registerSteering() {
	desk := a.o.Desk
	register(a, op(http.MethodPost, "/v1/sessions/{id}/seek", "seek-session", "Say where the player goes",
		"The making begins there at once and not only with the player's request. Players that just ask for segments seek as well.", 404, 410),
		func(_ context.Context, in *seekInput) (*sessionOutput, error) {
			return answer(desk.Seek(in.ID, in.Body))
		})
	register(a, op(http.MethodPost, "/v1/sessions/{id}/pause", "pause-session", "Pause the making",
		"Nothing is read ahead any more; what a player asks for is still made.", 404, 410),
		func(_ context.Context, in *SessionID) (*sessionOutput, error) { return answer(desk.Pause(in.ID)) })
	register(a, op(http.MethodPost, "/v1/sessions/{id}/resume", "resume-session", "End a pause", "", 404, 410),
		func(_ context.Context, in *SessionID) (*sessionOutput, error) { return answer(desk.Resume(in.ID)) })
	register(a, op(http.MethodPost, "/v1/sessions/{id}/ping", "ping-session", "Keep a session",
		"A session that nobody asks anything for sessions.idle ends; a player that is paused pings.", 404, 410),
		func(_ context.Context, in *pingInput) (*sessionOutput, error) {
			if in.Body == nil {
				in.Body = &playback.Ping{}
			}
			return answer(desk.Ping(in.ID, *in.Body))
		})
	register(a, op(http.MethodPost, "/v1/sessions/{id}/urls", "sign-urls", "Sign a session's URLs anew",
		"Earlier ones stay valid until they expire.", 404, 410),
		func(_ context.Context, in *SessionID) (*urlsOutput, error) {
			urls, err := desk.Renew(in.ID)
			return &urlsOutput{urls}, err
		})
}

func answer(s playback.Session, err error) (*sessionOutput, error) {
	return &sessionOutput{s}, err
}

// Statuses of success other than 200, for op.
const (
	created   = http.StatusCreated
	noContent = http.StatusNoContent
)

// op describes an operation. Of the statuses the one that is a success is that of
// the answer, the others those of problems beside the ones that every operation has.
func op(method, path, id, summary, description string, statuses ...int) huma.Operation {
	o := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: description,
		MaxBodyBytes: -1, BodyReadTimeout: -1, // the body was read before
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests},
	}
	for _, status := range statuses {
		if status < http.StatusBadRequest {
			o.DefaultStatus = status
		} else {
			o.Errors = append(o.Errors, status)
		}
	}
	return o
}

// register adds an operation, whose errors become problems.
func register[I, O any](a *API, o huma.Operation, do func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

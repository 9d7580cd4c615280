package problem

import (
	"log/slog"
	"net/http"
	"time"
)

// Code names a kind of failure; it is stable across releases.
type Code string

// The codes that the server itself gives.
const (
	BadRequest         Code = "bad_request"
	Unauthorized       Code = "unauthorized"
	RateLimited        Code = "rate_limited"
	Forbidden          Code = "forbidden"
	OriginRefused      Code = "origin_refused"
	CapabilityInvalid  Code = "capability_invalid"
	CapabilityExpired  Code = "capability_expired"
	NotFound           Code = "not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	TooLarge           Code = "too_large"
	UnsupportedType    Code = "unsupported_media_type"
	VersionUnsupported Code = "version_unsupported"
	UnknownType        Code = "unknown_type"
	TooManyRequests    Code = "too_many_requests"
	TooManyConnections Code = "too_many_connections"
	TooManyPeers       Code = "too_many_peers"
	SessionUnknown     Code = "session_unknown"
	SessionEnded       Code = "session_ended"
	SessionKind        Code = "session_kind"
	SegmentOutOfRange  Code = "segment_out_of_range"
	StreamUnknown      Code = "stream_unknown"
	PeerUnknown        Code = "peer_unknown"
	OfferRefused       Code = "offer_refused"
	PictureMissing     Code = "picture_missing"
	LUTUnknown         Code = "lut_unknown"
	SourceRefused      Code = "source_refused"
	SourceUnreachable  Code = "source_unreachable"
	SourceLost         Code = "source_lost"
	SourceChanged      Code = "source_changed"
	SourceNotSeekable  Code = "source_not_seekable"
	SourceTooLarge     Code = "source_too_large"
	Busy               Code = "busy"
	TooManySessions    Code = "too_many_sessions"
	ShuttingDown       Code = "shutting_down"
	Timeout            Code = "timeout"
	NotReady           Code = "not_ready"
	WorkerUnavailable  Code = "worker_unavailable"
	WorkerFailed       Code = "worker_failed"
	WorkerHung         Code = "worker_hung"
	WorkerLost         Code = "worker_lost"
	WorkerMemory       Code = "worker_memory"
	QueueFull          Code = "queue_full"
	BodyIncomplete     Code = "body_incomplete"
	BodyStalled        Code = "body_stalled"
	ReaderStalled      Code = "reader_stalled"
	SpoolFull          Code = "spool_full"
	ClientGone         Code = "client_gone"
	JobUnknown         Code = "job_unknown"
	JobOver            Code = "job_over"
	TooManyJobs        Code = "too_many_jobs"
	JobsUnwritable     Code = "jobs_unwritable"
	WebhookRefused     Code = "webhook_refused"
	Internal           Code = "internal"
)

// The codes that come from a worker: those of the packages pipeline and job,
// which cannot be imported here, since they reach C. A test reads their sources
// and holds this list to them.
const (
	SourceNotFound      Code = "source_not_found"
	SourceUnreadable    Code = "source_unreadable"
	SourceEmpty         Code = "source_empty"
	NotMedia            Code = "not_media"
	NoVideo             Code = "no_video"
	Encrypted           Code = "encrypted"
	UnknownCodec        Code = "unknown_codec"
	PictureTooLarge     Code = "picture_too_large"
	Damaged             Code = "damaged"
	SizeChanged         Code = "size_changed"
	HDRRefused          Code = "hdr_refused"
	OutputExists        Code = "output_exists"
	OutputRefused       Code = "output_refused"
	DiskFull            Code = "disk_full"
	ModelUnknown        Code = "model_unknown"
	ModelInvalid        Code = "model_invalid"
	ModelFailed         Code = "model_failed"
	ProviderUnavailable Code = "provider_unavailable"
	RuntimeMissing      Code = "runtime_missing"
	ElementMissing      Code = "element_missing"
	Stalled             Code = "stalled"
	NotStreamable       Code = "not_streamable"
	OutputFailed        Code = "output_failed"
)

// Owner says whose fault a failure is.
type Owner string

// The owners.
const (
	Media  Owner = "media"  // the file, or the place that it comes from
	Client Owner = "client" // the request
	Us     Owner = "us"     // this server, its machine or its configuration
)

// Kind is a row of the table: what all failures of one code have in common.
type Kind struct {
	Code   Code
	Status int // of HTTP
	Owner  Owner
	// Title is the same for every failure of the kind, as RFC 9457 §3.1.3 asks for.
	Title string
	// Advice is a sentence that says what to do.
	Advice string
	// RetryAfter is how long to wait before the same request may succeed; 0 where
	// trying again does not help.
	RetryAfter time.Duration
}

// Retryable tells whether the same request may succeed later.
func (k Kind) Retryable() bool { return k.RetryAfter > 0 }

// Level is how severe a failure of the kind is to those who run the server. Having
// no room is no fault, yet they should know.
func (k Kind) Level() slog.Level {
	switch {
	case k.Owner == Us && k.Status != http.StatusServiceUnavailable:
		return slog.LevelError
	case k.Owner == Client:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// kinds is the table, in the order of docs/errors.md.
var kinds = []Kind{
	{BadRequest, http.StatusBadRequest, Client, "The request is not understood", "Change what the detail names.", 0},
	{VersionUnsupported, http.StatusBadRequest, Client, "No common version of the protocol", "Ask for a version that the detail lists.", 0},
	{UnknownType, http.StatusBadRequest, Client, "There is no such request", "Send one that docs/control.md lists; a newer server may know more.", 0},
	{TooManyRequests, http.StatusTooManyRequests, Client, "Too many requests at once", "Wait for the replies to those before.", time.Second},
	{Unauthorized, http.StatusUnauthorized, Client, "A valid token is needed", "Send the token in the header X-Api-Token.", 0},
	{RateLimited, http.StatusTooManyRequests, Client, "Too many wrong tokens", "Wait; further tries from this address are not looked at meanwhile.", 10 * time.Second},
	{Forbidden, http.StatusForbidden, Client, "Not allowed", "Use a token that may do this.", 0},
	{OriginRefused, http.StatusForbidden, Client, "Pages of this origin are not allowed", "Add the page's origin to auth.origins.", 0},
	{CapabilityInvalid, http.StatusForbidden, Client, "The URL is not valid", "Ask the session for its URLs again.", 0},
	{CapabilityExpired, http.StatusForbidden, Client, "The URL has expired", "Ask the session for its URLs again.", 0},
	{NotFound, http.StatusNotFound, Client, "There is nothing here", "Look at /openapi.json for what there is.", 0},
	{MethodNotAllowed, http.StatusMethodNotAllowed, Client, "The method is not allowed here", "Use a method that the header Allow lists.", 0},
	{TooLarge, http.StatusRequestEntityTooLarge, Client, "The request is too large", "Send less; limits.body is the bound.", 0},
	{UnsupportedType, http.StatusUnsupportedMediaType, Client, "The body is of another type than is taken", "Send one of the type that the header Accept-Post names.", 0},

	{BodyIncomplete, http.StatusBadRequest, Client, "The body broke off", "Send it again; nothing of the result is of use.", 0},
	{BodyStalled, http.StatusRequestTimeout, Client, "The body stopped coming", "Send it again; transcode.body_idle is the bound.", 0},
	{ReaderStalled, http.StatusRequestTimeout, Client, "The result was not taken", "Ask again and read on; transcode.reader_idle is the bound.", 0},
	{ClientGone, http.StatusBadRequest, Client, "The client hung up", "Ask again, and read to the end of the result.", 0},
	{SpoolFull, http.StatusRequestEntityTooLarge, Client, "The upload is too large to be kept", "Put the index of the MP4 file to its begin (ffmpeg -i in.mp4 -c copy -movflags +faststart out.mp4), or send Matroska; transcode.spool_max is the bound.", 0},

	{SessionUnknown, http.StatusNotFound, Client, "No such session", "List the sessions; ended ones are forgotten after a while.", 0},
	{SessionEnded, http.StatusGone, Client, "The session has ended", "Create another one.", 0},
	{SessionKind, http.StatusConflict, Client, "The session is of another kind", "Ask for what sessions of its kind have.", 0},
	{SegmentOutOfRange, http.StatusNotFound, Client, "The film has no such segment", "Ask for segments that the playlist lists.", 0},
	{StreamUnknown, http.StatusNotFound, Client, "The film has no such track", "Choose one of the tracks that the session lists.", 0},
	{PeerUnknown, http.StatusNotFound, Client, "No such connection", "It has ended, which needs no DELETE.", 0},
	{OfferRefused, http.StatusUnprocessableEntity, Client, "The offer cannot be answered", "Make an offer as docs/webrtc.md has it; the detail says what is missing.", 0},
	{PictureMissing, http.StatusUnprocessableEntity, Client, "The page sends no picture", "Send one in the section that the offer has for it, and let it play.", 0},
	{ModelUnknown, http.StatusUnprocessableEntity, Client, "No such model", "Choose one of /v1/models.", 0},
	{ModelInvalid, http.StatusUnprocessableEntity, Client, "The model cannot be used", "Use a network that takes and gives a picture; the detail says what is wrong.", 0},
	{ProviderUnavailable, http.StatusUnprocessableEntity, Client, "The provider does not run here", "Choose one of /v1/hardware, or auto.", 0},
	{LUTUnknown, http.StatusUnprocessableEntity, Client, "No such colour table", "Name a .cube file of the folder luts.path.", 0},
	{OutputExists, http.StatusConflict, Client, "The output is there already", "Name another output, or allow it to be replaced.", 0},
	{OutputRefused, http.StatusUnprocessableEntity, Client, "The output cannot be written", "Name another output.", 0},
	{JobUnknown, http.StatusNotFound, Client, "No such job", "List the jobs; jobs.keep of those that are over are remembered.", 0},
	{JobOver, http.StatusConflict, Client, "The job is over", "Order another one.", 0},
	{WebhookRefused, http.StatusUnprocessableEntity, Client, "The webhook is not allowed", "Name a URL of a host in jobs.webhook.hosts, and have a secret.", 0},

	{SourceRefused, http.StatusForbidden, Client, "The source is not allowed", "Name a file below a root of media.roots, or a host of media.http.hosts.", 0},
	{SourceNotFound, http.StatusNotFound, Client, "No such source", "Check the name.", 0},
	{SourceUnreadable, http.StatusForbidden, Us, "The source cannot be read", "Let the server's user read the file.", 0},
	{SourceUnreachable, http.StatusBadGateway, Media, "The source's server does not answer", "Try again, or check that server.", 5 * time.Second},
	{SourceLost, http.StatusBadGateway, Media, "The live source broke off", "Create the session again when the source is back; live.reconnect is how long it may be gone.", 5 * time.Second},
	{SourceChanged, http.StatusUnprocessableEntity, Media, "The source was changed while it was read", "Create the session again.", time.Second},
	{SourceNotSeekable, http.StatusUnprocessableEntity, Media, "The source's server gives no ranges", "Put the file on a web server that answers range requests.", 0},
	{SourceTooLarge, http.StatusUnprocessableEntity, Media, "The source is too large", "Use a smaller file; media.http.max_bytes is the bound.", 0},
	{SourceEmpty, http.StatusUnprocessableEntity, Media, "The source is empty", "Use another file.", 0},
	{NotMedia, http.StatusUnprocessableEntity, Media, "The source is no media file", "Use another file.", 0},
	{NoVideo, http.StatusUnprocessableEntity, Media, "The source has no picture", "Use another file.", 0},
	{Encrypted, http.StatusUnprocessableEntity, Media, "The source is encrypted", "Use a file without protection.", 0},
	{UnknownCodec, http.StatusUnprocessableEntity, Media, "The source's codec is unknown", "Use another file, or install the decoder that the detail names.", 0},
	{PictureTooLarge, http.StatusUnprocessableEntity, Media, "The picture is too large", "Use a smaller scale or another file.", 0},
	{Damaged, http.StatusUnprocessableEntity, Media, "The source is damaged", "Use another copy of the file.", 0},
	{SizeChanged, http.StatusUnprocessableEntity, Media, "The picture changes its size", "Use another file.", 0},
	{HDRRefused, http.StatusUnprocessableEntity, Media, "The picture's dynamic range is not supported", "Use a file in standard dynamic range.", 0},
	{NotStreamable, http.StatusUnprocessableEntity, Media, "The film cannot be read as a stream", "Send an MP4 file with its index in front (faststart), or name the film as a source.", 0},

	{Busy, http.StatusServiceUnavailable, Us, "The machine has no room for this session", "Try again when another session has ended, or choose a lighter model or a smaller size; the figures say how much is missing.", 15 * time.Second},
	{QueueFull, http.StatusTooManyRequests, Client, "Too many transcodes wait", "Try again later; transcode.queue is the bound.", 15 * time.Second},
	{TooManySessions, http.StatusServiceUnavailable, Us, "As many sessions as allowed are running", "Try again when one has ended; sessions.max is the bound.", 15 * time.Second},
	{TooManyConnections, http.StatusServiceUnavailable, Us, "Too many connections are open", "Close one, or try again later; control.max is the bound.", 5 * time.Second},
	{TooManyPeers, http.StatusServiceUnavailable, Us, "As many browsers as allowed are connected", "Close one, or try again later; webrtc.peers is the bound.", 5 * time.Second},
	{TooManyJobs, http.StatusServiceUnavailable, Us, "As many jobs as allowed are waiting", "Try again when some are over; jobs.max is the bound.", time.Minute},
	{JobsUnwritable, http.StatusServiceUnavailable, Us, "The jobs cannot be stored", "Make room on the disk of jobs.path; the server's log says what is wrong.", time.Minute},
	{ShuttingDown, http.StatusServiceUnavailable, Us, "The server is ending", "Try again when it is back.", 10 * time.Second},
	{NotReady, http.StatusServiceUnavailable, Us, "The server is not ready", "Wait; the detail says what is missing.", 5 * time.Second},
	{WorkerUnavailable, http.StatusServiceUnavailable, Us, "No worker can be started", "Run upscaled doctor on the server's machine; its log says why workers end.", 5 * time.Second},
	{Timeout, http.StatusGatewayTimeout, Us, "It took too long", "Try again.", time.Second},
	{WorkerFailed, http.StatusInternalServerError, Us, "The session's worker has failed", "Create the session again; when the same film fails again, report it.", time.Second},
	{WorkerHung, http.StatusInternalServerError, Us, "The session's worker stood still", "Create the session again; when the same film fails again, report it.", time.Second},
	{WorkerLost, http.StatusInternalServerError, Us, "The session's worker is gone", "Create the session again; when the same film fails again, report it.", time.Second},
	{WorkerMemory, http.StatusInternalServerError, Us, "The session's worker used too much memory", "Choose a lighter model or a smaller size; workers.memory is the bound.", 0},
	{Stalled, http.StatusInternalServerError, Us, "The pipeline stood still", "Create the session again; when the same film fails again, report it.", time.Second},
	{ModelFailed, http.StatusInternalServerError, Us, "The model failed on a picture", "Choose another model or provider.", 0},
	{DiskFull, http.StatusInsufficientStorage, Us, "The disk is full", "Make room, or lower cache.max_bytes.", time.Minute},
	{OutputFailed, http.StatusInternalServerError, Us, "The output takes nothing any more", "Look at the log for what ended it.", 0},
	{RuntimeMissing, http.StatusInternalServerError, Us, "ONNX Runtime is missing", "Run upscaled doctor on the server's machine.", 0},
	{ElementMissing, http.StatusInternalServerError, Us, "A part of GStreamer is missing", "Run upscaled doctor on the server's machine.", 0},
	{Internal, http.StatusInternalServerError, Us, "Something went wrong in the server", "The server's log says what; please report it.", 0},
}

// byCode finds rows of kinds.
var byCode = func() map[Code]Kind {
	m := make(map[Code]Kind, len(kinds))
	for _, k := range kinds {
		m[k.Code] = k
	}
	return m
}()

// Kinds returns the whole table.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// KindOf returns the row of a code, and that of Internal and false for a code
// that is not in the table.
func KindOf(code Code) (Kind, bool) {
	if k, ok := byCode[code]; ok {
		return k, true
	}
	return byCode[Internal], false
}

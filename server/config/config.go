package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
)

// Config is the configuration of a server. What it holds is shared and must not
// be changed. The tags of a field are its name (key), what it is for (doc) and
// its rule (min, max, oneof, is).
type Config struct {
	Listen    string    `key:"listen" doc:"Address and port to listen on. Without a token it must be a loopback address: everybody who reaches the server may use it then."`
	Auth      Auth      `key:"auth" doc:"Who may use the server."`
	Media     Media     `key:"media" doc:"Where films may come from. Nothing else is ever opened."`
	Sessions  Sessions  `key:"sessions" doc:"One session is one playback of one film."`
	HLS       HLS       `key:"hls" doc:"What players fetch."`
	Live      Live      `key:"live" doc:"Live streams."`
	Cache     Cache     `key:"cache" doc:"Segments that were made, kept on the disk until their session ends."`
	Workers   Workers   `key:"workers" doc:"The processes that decode, upscale and encode, one a session."`
	Admission Admission `key:"admission" doc:"When a further session is refused because the machine could not keep up."`
	Transcode Transcode `key:"transcode" doc:"What /v1/transcode takes and gives."`
	Jobs      Jobs      `key:"jobs" doc:"Offline transcodes, which are done one after another; see docs/jobs.md."`
	Control   Control   `key:"control" doc:"WebSocket connections to /v1/control."`
	WebRTC    WebRTC    `key:"webrtc" doc:"Sessions as WebRTC: the least delay, and pages that have their own picture upscaled."`
	Limits    Limits    `key:"limits" doc:"Bounds of HTTP requests."`
	TLS       TLS       `key:"tls" doc:"HTTPS, with HTTP/2. Without it the server speaks HTTP, and on a loopback address HTTP/2 besides."`
	Models    Models    `key:"models" doc:"What upscales where a request does not say."`
	LUTs      LUTs      `key:"luts" doc:"Colour tables for the filter lut."`
	Log       Log       `key:"log" doc:"What is written to standard error."`
	Shutdown  Shutdown  `key:"shutdown" doc:"What happens on SIGTERM."`
}

// Auth is the section auth.
type Auth struct {
	Token         auth.Token     `key:"token" doc:"Secret that clients send in the header X-Api-Token, at least 16 characters. The variable API_TOKEN sets it, too. It is not taken from the command line, where every user of the machine could read it."`
	TokenFile     string         `key:"token_file" is:"absolute" doc:"File that holds the token on its one line, in place of token."`
	Origins       []auth.Origin  `key:"origins" doc:"Origins of web pages that may use the server besides its own, as in https://jellyfin.example:8920. Pages of other origins are refused."`
	Proxies       []netip.Prefix `key:"proxies" doc:"Networks of reverse proxies whose X-Forwarded-For is believed, as in 127.0.0.1/32. Wrong tokens are counted by the address that it names."`
	CapabilityTTL time.Duration  `key:"capability_ttl" min:"1m" max:"168h" doc:"How long a signed URL of media works, if its session lasts that long. Players keep the URLs that they got first, so it must outlast a film with its pauses."`
}

// Media is the section media.
type Media struct {
	Roots []Root `key:"roots" doc:"Folders whose files may be played, each with a name and an absolute path. A request names a film as NAME/path/below/it, so that no path of this machine is ever told. In the environment: NAME=PATH,NAME=PATH."`
	HTTP  HTTP   `key:"http" doc:"Films from web servers."`
}

// HTTP is the section media.http.
type HTTP struct {
	Hosts    []string      `key:"hosts" doc:"Hosts that films and live streams may be fetched from, as in films.example or films.example:8443; without a port, 80 and 443 are meant, and 554 and 322 for RTSP. None by default. Redirects, and what a playlist names, must lead to one of them, too."`
	MaxBytes Size          `key:"max_bytes" min:"1MiB" max:"16TiB" doc:"Size of the largest film that is fetched."`
	Timeout  time.Duration `key:"timeout" min:"1s" max:"5m" doc:"How long a web server may take to answer, or to send anything, before the request is made again or given up."`
}

// Sessions is the section sessions.
type Sessions struct {
	Max          int           `key:"max" min:"1" max:"1024" doc:"How many sessions may be there at once. What the machine can do bounds them earlier; see admission."`
	Idle         time.Duration `key:"idle" min:"5s" max:"24h" doc:"A session ends when no player has asked for anything, and nobody has pinged it, for so long."`
	ReadAhead    time.Duration `key:"read_ahead" min:"2s" max:"10m" doc:"How far ahead of the player is worked before the worker pauses; a request further ahead restarts it there. At least two segments."`
	Stall        time.Duration `key:"stall" min:"2s" max:"1m" doc:"A worker that gives no sign of life for so long is taken for hung and ended. They come once a second."`
	StartTimeout time.Duration `key:"start_timeout" min:"1s" max:"5m" doc:"How long opening a film may take, and making the first segment after a start or a seek."`
}

// HLS is the section hls.
type HLS struct {
	Segment time.Duration `key:"segment" min:"500ms" max:"10s" doc:"Length of a segment; the one that is whole pictures and nearest to it is taken. Shorter ones start and seek faster and cost more requests."`
}

// Live is the section live.
type Live struct {
	Window    time.Duration `key:"window" min:"10s" max:"6h" doc:"How far back players may go in a live stream. It is kept in memory: a minute at 4 Mbit/s is 30 MB."`
	Part      time.Duration `key:"part" min:"100ms" max:"1s" doc:"Longest part of LL-HLS. Players stay about three of them behind; one lasts a whole picture at least."`
	Connect   time.Duration `key:"connect" min:"1s" max:"2m" doc:"How long a live source may take to show its first picture; it is asked several times in that."`
	Reconnect time.Duration `key:"reconnect" min:"1s" max:"1h" doc:"How long a live source that broke off may be gone before its session fails."`
	Stall     time.Duration `key:"stall" min:"1s" max:"1m" doc:"A live source that brings no picture for so long is connected to anew."`
	RTSP      string        `key:"rtsp" oneof:"auto tcp udp" doc:"How RTSP carries its packets; auto is TCP, and UDP where a server has no TCP."`
}

// Cache is the section cache.
type Cache struct {
	Path     string `key:"path" is:"absolute" doc:"Folder of its own for the cache; what is left in it from an earlier run is removed. By default upscaled/segments in the user's cache folder, or /var/cache/upscaled where there is none."`
	MaxBytes Size   `key:"max_bytes" min:"64MiB" max:"16TiB" doc:"Size of the whole cache. Segments that were asked for longest ago go first, and are made again when asked for."`
}

// Workers is the section workers.
type Workers struct {
	Command string `key:"command" is:"absolute" doc:"The program upscaled, which workers are run from. By default the one beside this program."`
	Spare   int    `key:"spare" min:"0" max:"16" doc:"How many idle workers are kept ready with the default model loaded, so that a session starts at once."`
	Memory  Size   `key:"memory" min:"128MiB" max:"1TiB" doc:"Memory that a worker may have resident; one with more is ended."`
}

// Admission is the section admission.
type Admission struct {
	Share float64 `key:"share" min:"0.05" max:"1" doc:"Share of the machine's cores, and of its GPU where one works, that all sessions together may need by measure. The rest is for everything else that runs here."`
}

// Transcode is the section transcode.
type Transcode struct {
	Queue      int           `key:"queue" min:"0" max:"1024" doc:"How many transcodes may wait for room on the machine; further ones are refused."`
	QueueWait  time.Duration `key:"queue_wait" min:"1s" max:"1h" doc:"How long a transcode may wait for room."`
	BodyIdle   time.Duration `key:"body_idle" min:"1s" max:"1h" doc:"How long nothing of a body may come before its transcode fails. A body that is held up because the machine is slow does not count."`
	ReaderIdle time.Duration `key:"reader_idle" min:"1s" max:"24h" doc:"How long a client may take nothing of the result before its transcode fails; a player that reads it and is paused takes nothing."`
	Spool      string        `key:"spool" is:"absolute" doc:"Folder for MP4 files whose index is at the end, which are kept whole before they are read. The files have no name, and are gone with the server. By default the folder of the cache."`
	SpoolMax   Size          `key:"spool_max" min:"0B" max:"16TiB" doc:"Bytes of all of them together; a request for more is refused."`
}

// Jobs is the section jobs.
type Jobs struct {
	Path        string  `key:"path" is:"absolute" doc:"Folder of its own in which the jobs are stored. By default upscaled/jobs in the user's folder for state, $XDG_STATE_HOME or ~/.local/state, or /var/lib/upscaled/jobs where there is none."`
	Concurrency int     `key:"concurrency" min:"1" max:"64" doc:"How many jobs are done at once."`
	Yield       bool    `key:"yield" doc:"Whether jobs pause while sessions of other kinds play. They book nothing of the machine, then; with false they run beside them, and pause where those need what jobs have."`
	Share       float64 `key:"share" min:"0.05" max:"1" doc:"Where jobs do not yield: share of what admission gives out that a job books at most. It may take longer than its film, so that it needs no more."`
	Retries     int     `key:"retries" min:"0" max:"10" doc:"How often a job is tried again that failed by what may pass by itself, as a source that cannot be reached or a worker that is gone: after 30 s, then 1 min, and so on doubling to 10 min."`
	Max         int     `key:"max" min:"1" max:"100000" doc:"How many jobs may be there that are not over."`
	Keep        int     `key:"keep" min:"0" max:"100000" doc:"How many jobs that are over are remembered. What they have made is known longer, so that it can be passed over."`
	Roots       Names   `key:"roots" doc:"Names of the roots in media.roots that jobs may write to, beside their sources or elsewhere. All of them by default. Nothing that is there is ever written over."`
	Webhook     Webhook `key:"webhook" doc:"Who may be told of a job's end."`
}

// Names are names of roots.
type Names []string

// Webhook is the section jobs.webhook.
type Webhook struct {
	Hosts      []string    `key:"hosts" doc:"Hosts that webhooks may lead to, as in media.http.hosts. None by default."`
	Secret     auth.Secret `key:"secret" doc:"Key that signs messages whose job brings none, at least 16 characters."`
	SecretFile string      `key:"secret_file" is:"absolute" doc:"File that holds the secret on its one line, in place of secret."`
}

// Control is the section control.
type Control struct {
	Max         int           `key:"max" min:"1" max:"4096" doc:"How many connections may be open at once."`
	MaxMessage  Size          `key:"max_message" min:"1KiB" max:"1MiB" doc:"Size of the largest message that is read; a larger one ends the connection."`
	Queue       int           `key:"queue" min:"8" max:"4096" doc:"How many messages wait for a slow reader. When they are so many, the connection is closed with a code that says so; figures do not wait, the newest replace the older."`
	AuthTimeout time.Duration `key:"auth_timeout" min:"1s" max:"1m" doc:"How long a connection may stay open without a token."`
	Ping        time.Duration `key:"ping" min:"1s" max:"5m" doc:"How often a connection is pinged. One that does not answer before the next ping is closed."`
}

// WebRTC is the section webrtc.
type WebRTC struct {
	Port      int           `key:"port" min:"0" max:"65535" doc:"UDP port that all browsers share, at the address of listen. 0: one of the system's choice, which no firewall can be told of."`
	Ports     Ports         `key:"ports" doc:"UDP ports of which each browser gets one of its own, as in 50000-50099, in place of port: at least as many as webrtc.peers."`
	Addresses []netip.Addr  `key:"addresses" doc:"Addresses that browsers are told to reach this machine at, in place of those that it has: that of the host where this runs in a container, or the one in front of a NAT."`
	Peers     int           `key:"peers" min:"1" max:"1024" doc:"How many browsers may be connected at once."`
	Connect   time.Duration `key:"connect_timeout" min:"1s" max:"1m" doc:"How long a browser may take to connect after it got its answer, and a page then to send its first picture."`
	Silence   time.Duration `key:"silence" min:"2s" max:"1m" doc:"A browser that gives no sign of life for so long is taken for gone; one that closes its connection is gone at once."`
}

// Limits is the section limits.
type Limits struct {
	Body          Size          `key:"body" min:"1KiB" max:"16MiB" doc:"Size of the largest body of a request."`
	Header        Size          `key:"header" min:"4KiB" max:"1MiB" doc:"Size of the largest header of a request."`
	Connections   int           `key:"connections" min:"8" max:"65536" doc:"How many connections may be open at once; further ones wait. A player needs two or three, and a control connection is one."`
	HeaderTimeout time.Duration `key:"header_timeout" min:"1s" max:"1m" doc:"How long a client may take to send a request's header and body."`
}

// TLS is the section tls.
type TLS struct {
	Cert string `key:"cert" is:"absolute" doc:"File with the certificate and those between it and its root, in PEM. It is read again when it changes."`
	Key  string `key:"key" is:"absolute" doc:"File with the certificate's key, in PEM."`
}

// Models is the section models.
type Models struct {
	Default  string `key:"default" is:"id" doc:"Id of the model; spare workers have it loaded."`
	Path     string `key:"path" is:"absolute" doc:"Folder of further models: ID.json, a manifest, and ID.onnx for each. None by default."`
	Provider string `key:"provider" oneof:"auto tensorrt cuda openvino webgpu cpu" doc:"What runs models; one that is named and cannot is an error."`
}

// LUTs is the section luts.
type LUTs struct {
	Path string `key:"path" is:"absolute" doc:"Folder of .cube files that the filter lut may name. None by default."`
}

// Log is the section log.
type Log struct {
	Level  slog.Level `key:"level" oneof:"debug info warn error" doc:"Least severe lines that are written."`
	Format string     `key:"format" oneof:"text json" doc:"How lines are written."`
}

// Shutdown is the section shutdown.
type Shutdown struct {
	Drain time.Duration `key:"drain" min:"0s" max:"5m" doc:"How long sessions may go on after SIGTERM, when no new ones are taken; then they are ended. SIGTERM again ends them at once."`
}

// Defaults returns the configuration that the other sources are laid over. Paths
// that depend on the machine are empty; Load fills them in.
func Defaults() Config {
	return Config{
		Listen: "127.0.0.1:7890",
		Auth:   Auth{CapabilityTTL: 12 * time.Hour},
		Media:  Media{HTTP: HTTP{MaxBytes: 128 << 30, Timeout: 10 * time.Second}},
		Sessions: Sessions{
			Max: 8, Idle: time.Minute, ReadAhead: 24 * time.Second, Stall: 3 * time.Second, StartTimeout: 20 * time.Second,
		},
		HLS: HLS{Segment: time.Second},
		Live: Live{
			Window: time.Minute, Part: 200 * time.Millisecond, Connect: 15 * time.Second, Reconnect: time.Minute, Stall: 8 * time.Second, RTSP: "auto",
		},
		Cache:     Cache{MaxBytes: 4 << 30},
		Workers:   Workers{Spare: 1, Memory: 4 << 30},
		Admission: Admission{Share: 0.9},
		Transcode: Transcode{
			Queue: 8, QueueWait: 30 * time.Second, BodyIdle: time.Minute, ReaderIdle: 10 * time.Minute, SpoolMax: 8 << 30,
		},
		Jobs: Jobs{Concurrency: 1, Yield: true, Share: 0.5, Retries: 2, Max: 10000, Keep: 1000},
		Control: Control{
			Max: 64, MaxMessage: 64 << 10, Queue: 64, AuthTimeout: 5 * time.Second, Ping: 20 * time.Second,
		},
		WebRTC:   WebRTC{Port: 7891, Peers: 16, Connect: 10 * time.Second, Silence: 6 * time.Second},
		Limits:   Limits{Body: 1 << 20, Header: 16 << 10, Connections: 1024, HeaderTimeout: 10 * time.Second},
		Models:   Models{Default: models.Default, Provider: "auto"},
		Log:      Log{Level: slog.LevelInfo, Format: "text"},
		Shutdown: Shutdown{Drain: 10 * time.Second},
	}
}

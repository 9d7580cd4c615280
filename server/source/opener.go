package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/worker/ranges"
)

// Options say what may be opened. The zero value permits nothing.
type Options struct {
	Roots  map[string]string // name → absolute path of a folder
	Hosts  []string          // that URLs may name; see hosts.go for the forms
	Limits Limits            // of URLs
	// Trust is what certificates of https are checked with; nil is the system's.
	Trust *tls.Config
	// Log is told of trouble on the way that a film survives.
	Log *slog.Logger
}

// Opener opens sources. Any goroutine may use it.
type Opener struct {
	roots  map[string]string
	hosts  hosts
	limits Limits
	trust  *tls.Config
	log    *slog.Logger
}

// rootName is what a root may be called: nothing that could be part of a URL or a
// path of another kind.
var rootName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// New checks the options. Errors name the option, the rule and the value.
func New(o Options) (*Opener, error) {
	for root, dir := range o.Roots {
		if !rootName.MatchString(root) {
			return nil, fmt.Errorf("roots: a name must be of letters, digits, hyphens, underscores and dots (got %q)", root)
		}
		if !filepath.IsAbs(dir) {
			return nil, fmt.Errorf("roots.%s: must be an absolute path (got %q)", root, dir)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("roots.%s: must be a folder (got %q)", root, dir)
		}
	}
	listed, err := parseHosts(o.Hosts)
	if err != nil {
		return nil, err
	}
	if err := o.Limits.check(); err != nil {
		return nil, fmt.Errorf("limits.%w", err)
	}
	if o.Log == nil {
		return nil, errors.New("log: must be given")
	}
	return &Opener{roots: maps.Clone(o.Roots), hosts: listed, limits: o.Limits, trust: o.Trust, log: o.Log}, nil
}

// Open opens what a client named: "root/path/to/film.mkv" or a URL of http or
// https. Errors are Errors, but for ctx's cause. The caller closes the source.
func (o *Opener) Open(ctx context.Context, source string) (*Source, error) {
	n, err := parse(source)
	if err != nil {
		return nil, err
	}
	if n.url != nil {
		return o.openURL(ctx, n)
	}
	dir, known := o.roots[n.root]
	if !known {
		return nil, o.noRoot(n.root)
	}
	file, size, err := openFile(dir, n)
	if err != nil {
		return nil, err
	}
	return &Source{name: n.public(), kind: KindFile, size: size, worker: file}, nil
}

// noRoot tells which roots there are.
func (o *Opener) noRoot(root string) error {
	names := strings.Join(slices.Sorted(maps.Keys(o.roots)), ", ")
	if names == "" {
		return fail(CodeRefused, nil, "files are not open to clients: the server has no roots")
	}
	return fail(CodeRefused, nil, "there is no root %.40q; there are: %s", root, names)
}

func (o *Opener) openURL(ctx context.Context, n name) (*Source, error) {
	transport := newTransport(o.hosts, o.limits, o.trust)
	c := &client{transport: transport, hosts: o.hosts, url: n.url, name: n.public(), limits: o.limits}
	film, err := openRemote(ctx, c, o.log)
	if err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	conn, worker, err := ranges.Pair()
	if err != nil {
		transport.CloseIdleConnections()
		return nil, fail(CodeUnreadable, err, "%q cannot be handed to a worker", c.name)
	}
	return &Source{
		name: c.name, kind: KindRanges, size: film.size,
		remote: film, transport: transport, conn: conn, worker: worker,
	}, nil
}

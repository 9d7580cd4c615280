// Command upscaled-server is the daemon. It is an executable of its own, pure Go and
// static, so that it can load neither GStreamer nor ONNX Runtime: those run in
// workers, which it starts from the program upscaled beside it.
//
//	main ─► config.Load ─► server.New ─► server.Run
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong" // small, struct tags, alive, MIT
	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/server"
	"github.com/upscaled-media/upscaled/server/config"
)

// The exit statuses, those of docs/cli.md.
const (
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the server (the default)."`
	OpenAPI openAPICommand `cmd:"" name:"openapi" help:"Print the OpenAPI document of the HTTP interface."`
	Version versionCommand `cmd:"" help:"Print versions."`
}

// serveCommand runs the server.
type serveCommand struct {
	Config   string `placeholder:"FILE" help:"YAML file; by default the one that UPSCALED_CONFIG names, or none."`
	Listen   string `placeholder:"HOST:PORT" help:"Address to listen on (listen)."`
	LogLevel string `placeholder:"LEVEL" help:"Least severe log lines: debug, info, warn or error (log.level)."`
	Version  bool   `help:"Print versions and exit."`
}

type (
	openAPICommand struct{}
	versionCommand struct{}
)

// output is where commands write.
type output struct{ stdout, stderr io.Writer }

// errReported ends the program after an error that was logged.
var errReported = errors.New("reported")

func main() {
	os.Exit(run(os.Args[1:], output{os.Stdout, os.Stderr}))
}

// run parses the arguments, runs a command and returns the exit status.
func run(args []string, out output) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, kong.Name("upscaled-server"), kong.Writers(out.stdout, out.stderr),
		kong.Description("Play films upscaled: the server."), kong.Exit(func(code int) { status = code }))
	if err != nil {
		_, _ = fmt.Fprintln(out.stderr, err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if status >= 0 { // help was asked for and printed
		return status
	}
	if err != nil {
		_, _ = fmt.Fprintf(out.stderr, "upscaled-server: %v\nTry: upscaled-server --help\n", err)
		return exitUsage
	}
	switch err := parsed.Run(out); {
	case err == nil:
		return 0
	case !errors.Is(err, errReported):
		_, _ = fmt.Fprintln(out.stderr, "upscaled-server:", err)
		return exitUsage
	}
	return exitFailed
}

// Run serves until a signal. Its errors before the log is there are those of the
// configuration.
func (s *serveCommand) Run(out output) error {
	if s.Version {
		return versionCommand{}.Run(out)
	}
	flags := map[string]string{}
	for key, value := range map[string]string{"listen": s.Listen, "log.level": s.LogLevel} {
		if value != "" {
			flags[key] = value
		}
	}
	// Workers run as the same user, and media may take them over: what this process has in its memory and environment, such
	// as the token, is not for them to read or change (PR_SET_DUMPABLE of prctl(2)). It leaves no core, either.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the server's memory cannot be kept from its workers: %w", err)
	}
	c, err := config.Load(config.Sources{File: s.Config, Environ: os.Environ(), Flags: flags})
	if err != nil {
		return err
	}
	log := logger(c.Log, out.stderr)
	if err := serve(c, log); err != nil {
		log.Error("server failed", "error", err)
		return errReported
	}
	return nil
}

// serve runs the server with a configuration.
func serve(c config.Config, log *slog.Logger) error {
	scheme := "http://"
	if c.TLS.Cert != "" {
		scheme = "https://"
	}
	listening := func(at net.Addr) {
		log.Info("listening", "address", scheme+at.String(), "version", version())
		if !c.Auth.Token.IsSet() {
			log.Warn("no token is set: the server listens on loopback only, and whoever reaches it may use it")
		}
	}
	s, err := server.New(c, server.Options{Version: version(), Log: log, Listening: listening})
	if err != nil {
		return err
	}
	ctx, hurry, stop := signals(log)
	defer stop()
	err = s.Run(ctx, hurry)
	log.Info("ended", "cause", context.Cause(ctx), "error", err)
	return err
}

// logger writes lines as the configuration says.
func logger(c config.Log, to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// signals returns a context that the first SIGINT or SIGTERM ends, and a channel
// that the second closes. The third ends the process as if nobody listened.
func signals(log *slog.Logger) (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan os.Signal, 2) // both, should they come at once
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM)
	second, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		one, ok := <-got
		if !ok {
			return
		}
		log.Info("ending", "signal", one.String())
		cancel(errors.New(one.String()))
		if two, ok := <-got; ok {
			log.Info("ending at once", "signal", two.String())
			signal.Stop(got)
			close(second)
		}
	}()
	return ctx, second, func() {
		signal.Stop(got)
		close(got)
		<-done
		cancel(nil)
	}
}

// Run prints the document.
func (openAPICommand) Run(out output) error {
	text, err := server.OpenAPI()
	if err == nil {
		_, err = fmt.Fprintf(out.stdout, "%s\n", text)
	}
	return err
}

// Run prints what this binary is.
func (versionCommand) Run(out output) error {
	_, err := fmt.Fprintf(out.stdout, "upscaled-server %s (%s)\n", version(), runtime.Version())
	return err
}

// version returns the commit that the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	found := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			found = s.Value[:min(12, len(s.Value))]
		}
	}
	return found
}

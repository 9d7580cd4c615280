// Command upscaled upscales video with ONNX super-resolution on GStreamer.
//
//	main ─► transcode ─► job ─► pipeline ─► elements/upscale ─► elements/infer
//	     ├► jobs ─► client: what a server does in the background
//	     ├► models, doctor: what there is and whether it works
//	     └► demo, bench: the same path on clips drawn here, measured
//
// Each subcommand is a struct in the file of its name, with a Run method.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong" // small, struct tags, alive, MIT

	"github.com/upscaled-media/upscaled/models"
)

// commands is the command line.
type commands struct {
	LogLevel slog.Level `default:"warn" help:"Least severe log lines that are shown: debug, info, warn or error."`

	Transcode transcodeCommand `cmd:"" help:"Make an upscaled file of a video file."`
	Serve     serveCommand     `cmd:"" passthrough:"" help:"Run the server that players and plugins talk to."`
	Jobs      jobsCommand      `cmd:"" help:"Order offline transcodes of a server, and see what becomes of them."`
	Models    modelsCommand    `cmd:"" help:"List models, or measure one."`
	Doctor    doctorCommand    `cmd:"" help:"Check that everything needed is here and works."`
	Demo      demoCommand      `cmd:"" help:"Draw a clip, upscale it and measure the result."`
	Bench     benchCommand     `cmd:"" help:"Measure the stages alone and together."`
	Version   versionCommand   `cmd:"" help:"Print versions."`
	Soak      soakCommand      `cmd:"" hidden:"" help:"Play, seek, kill and hang up at random, and check that the server bears it."`
	Worker    workerCommand    `cmd:"" hidden:"" help:"Work for a server that has started this process."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run parses the arguments, runs a subcommand and returns the exit status.
func run(args []string, stdout, stderr *os.File) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, kong.Name("upscaled"), kong.Vars{"default_model": models.Default}, kong.Writers(stdout, stderr),
		kong.Description("Upscale video with ONNX super-resolution on GStreamer."),
		kong.Exit(func(code int) { status = code }))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitInternal
	}
	parsed, err := parser.Parse(args)
	if status >= 0 { // help was asked for and printed
		return status
	}
	if err != nil {
		fmt.Fprintf(stderr, "upscaled: %v\nTry: upscaled --help\n", err)
		return exitUsage
	}
	ctx, stop := interruptible()
	defer stop()
	a := &app{log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.LogLevel})), stdout: stdout, stderr: stderr}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(a); err != nil {
		return a.report(err)
	}
	return 0
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

// Error names the signal.
func (i interrupted) Error() string { return "interrupted (" + i.signal.String() + ")" }

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP ends with
// interrupted as its cause; a second one ends the process at once. A hangup that is
// ignored, as nohup has it, stays so.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1) // one is enough: the second is the runtime's
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s, ok := (<-signals).(syscall.Signal); ok {
			cancel(interrupted{s})
			signal.Stop(signals)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		<-done
		cancel(nil)
	}
}

// report prints an error to stderr, unless the user has seen it, and returns
// the exit status it stands for.
func (a *app) report(err error) int {
	if !errors.Is(err, errReported) {
		fmt.Fprintln(a.stderr, "upscaled:", sentence(err))
	}
	a.log.Debug("failed", "err", err)
	return statusOf(err)
}

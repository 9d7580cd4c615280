package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// oomBonus is what workers have more than the server on the kernel's scale of
// whom to end when memory runs out, of -1000 to 1000.
const oomBonus = 500

// process is a worker's process.
type process struct {
	cmd    *exec.Cmd
	ends   wire.Ends // the server's
	stderr *os.File
	exited chan struct{}    // closed when the process is reaped
	state  *os.ProcessState // valid after exited
	killed atomic.Bool      // it lived when kill was called
}

// spawn starts a process. What it returns must be waited for by wait, and closed.
func spawn(ctx context.Context, s *starter, o *Options) (*process, error) {
	near, far, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = far.Close() }() // the child has copies
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	defer func() { _ = write.Close() }() // likewise
	p := &process{ends: near, stderr: read, exited: make(chan struct{})}
	p.cmd, err = command(ctx, o, far, write)
	if err == nil {
		err = s.start(p.cmd)
		closeAll(p.cmd.ExtraFiles)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("start of a worker: %w", err)
	}
	p.confine(o.Log)
	return p, nil
}

// command says how a process is started: with nothing of the server's but the
// two sockets, in a session of its own, and to die with the server.
func command(ctx context.Context, o *Options, far wire.Ends, stderr *os.File) (*exec.Cmd, error) {
	// Its end is the pool's to bring about, with more care than a context would.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), o.Command[0], o.Command[1:]...) //nolint:gosec // who runs the server names it
	cmd.Env = append(environment(os.Environ()), o.Env...)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	frames, err := far.Frames.File()
	if err != nil {
		return nil, err
	}
	descriptors, err := far.Descriptors.File()
	if err != nil {
		return nil, errors.Join(err, frames.Close())
	}
	cmd.ExtraFiles = []*os.File{frames, descriptors} // wire.SocketFD, wire.DescriptorFD
	return cmd, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // a copy that nobody wrote to
	}
}

// confine has the kernel keep no memory of the process and end it before the
// server. Neither is worth a session where the system does not let us.
func (p *process) confine(log *slog.Logger) {
	pid := p.cmd.Process.Pid
	err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	score, readErr := oomScore()
	err = errors.Join(err, readErr, os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0))
	if err != nil {
		log.Warn("worker is not confined", "pid", pid, "error", err)
	}
}

// oomScore returns the oom_score_adj of a worker (proc_pid_oom_score_adj(5)).
func oomScore() (int, error) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return oomBonus, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(own)))
	return min(1000, n+oomBonus), err
}

// wait waits for the process, ends what is left in its group of those that it
// started, and reaps it.
func (p *process) wait() {
	pid := p.cmd.Process.Pid
	// While it is not reaped nobody else can have its number.
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	_ = unix.Kill(-pid, unix.SIGKILL) // ESRCH: nothing is left
	_ = p.cmd.Wait()                  // the state says all
	p.state = p.cmd.ProcessState
	close(p.exited)
}

// kill ends the process; wait ends the others.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err == nil { // otherwise there is nothing to do
		p.killed.Store(true)
	}
}

// close closes the server's ends.
func (p *process) close() {
	_ = p.ends.Close() // nothing is lost that anybody waits for
	_ = p.stderr.Close()
}

// signalName returns the name of a signal, as in SIGABRT.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

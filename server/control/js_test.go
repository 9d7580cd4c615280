package control

import (
	"bufio"
	"os/exec"
	"testing"
)

// TestExampleClient has docs/examples/control.js speak with the server.
func TestExampleClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to run JavaScript")
	}
	arguments := []string{"--experimental-websocket"}
	probe := exec.CommandContext(t.Context(), node, append(arguments, "-e", "new CustomEvent(typeof WebSocket.prototype.send)")...)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("node has no WebSocket: %s", out)
	}
	s := setUp(t)
	cmd := exec.CommandContext(t.Context(), node, append(arguments, "testdata/client.mjs", "http://"+s.listen.Addr().String(), secret)...)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	var stderr lines
	cmd.Stderr = &stderr
	must(t, cmd.Start())
	var last string
	for said := bufio.NewScanner(stdout); said.Scan(); {
		switch last = said.Text(); last {
		case "drop":
			s.server.mu.Lock()
			for c := range s.server.conns {
				c.end(errSlow)
			}
			s.server.mu.Unlock()
		case "stats":
			s.starter.last().handler.Stats(stats(1))
		}
	}
	if err := cmd.Wait(); err != nil || last != "done" {
		t.Errorf("%v after %q\n%s", err, last, stderr)
	}
}

// lines are what a program says of its troubles.
type lines []byte

func (l *lines) Write(b []byte) (int, error) {
	*l = append(*l, b...)
	return len(b), nil
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestProviders has a session run on what it asks for, which the costs of the machine
// tell, and one refused that asks for what no tested library has.
func TestProviders(t *testing.T) {
	d := start(t, nil)
	f := film{name: "film.mp4", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 2 * 25, args: "-c:v libx264 -preset ultrafast"}
	f.draw(t, d.films)
	d.media(d.play(f.name, order{"provider": "cpu"}), "video/0/0.m4s")
	costs := get[struct{ Costs []struct{ Provider string } }](d, "/v1/hardware").Costs
	if len(costs) != 1 || costs[0].Provider != "cpu" {
		t.Errorf("costs %+v, after sessions of auto and of what it comes to", costs)
	}

	body := `{"source": "films/film.mp4", "model": "` + doubling + `", "provider": "openvino"}`
	r, err := http.NewRequestWithContext(d.context(), http.MethodPost, d.url()+"/v1/sessions", strings.NewReader(body))
	must(t, err)
	r.Header.Set("X-Api-Token", token)
	r.Header.Set("Content-Type", "application/json")
	status, data := d.send(r)
	var refused struct{ Code string }
	must(t, json.Unmarshal(data, &refused))
	if status != http.StatusUnprocessableEntity || refused.Code != "provider_unavailable" {
		t.Errorf("%d %s", status, data)
	}
	if strings.Contains(string(data), "libonnxruntime") {
		t.Errorf("a client is told of files: %s", data)
	}
}

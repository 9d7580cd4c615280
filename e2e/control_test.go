//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"
)

// TestExampleClient has docs/examples/control.js speak with a server from a page.
func TestExampleClient(t *testing.T) {
	pages := site(t)
	d, f := start(t, settings{"auth.origins": pages.URL}), jobFilm("a.mkv", 1500)
	f.draw(t, d.films)
	task, err := json.Marshal(map[string]string{
		"page": pages.URL + "/control.js", "chromium": chromium(t), "server": d.url(), "token": token, "source": "films/" + f.name,
	})
	must(t, err)
	tool(t, nil, "node", "control.mjs", string(task))
}

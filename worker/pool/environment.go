package pool

import (
	"slices"
	"strings"
)

// passed are the variables that workers inherit: what the libraries that they
// load read. All else, and so every secret of the server, stays with it.
var passed = []string{
	"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
	"LD_LIBRARY_PATH", "UPSCALED_ORT_LIBRARY", "G_DEBUG", "G_MESSAGES_DEBUG", "G_SLICE",
}

// passedPrefixes are those of families of such variables.
var passedPrefixes = []string{"LC_", "GST_", "CUDA_", "NVIDIA_", "LIBVA_", "OV_", "OPENVINO_"}

// environment returns what a worker gets of the server's variables.
func environment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return !slices.Contains(passed, name) &&
			!slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

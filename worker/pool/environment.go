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
var passedPrefixes = []string{"LC_", "GST_", "CUDA_", "NVIDIA_", "LIBVA_", "OV_", "OPENVINO_", "VK_"}

// arenas bounds the heaps of glibc's malloc (mallopt(3), M_ARENA_MAX). Each seek
// ends some twenty threads of a worker and starts as many, and with a heap for
// each thread what the old ones freed is no use to the new ones: five seeks made
// 63 MiB of it, and make 23 so.
const arenas = "MALLOC_ARENA_MAX=2"

// environment returns what a worker gets of the server's variables, and what it
// is given beside them.
func environment(all []string) []string {
	env := slices.DeleteFunc(slices.Clone(all), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return !slices.Contains(passed, name) &&
			!slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
	return append(env, arenas)
}

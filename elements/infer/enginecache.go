package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// engineCache makes and returns the folder of the TensorRT engines for this
// job: one per model, layout, precision, device and version, so that an engine
// is never tried where it was not built for.
func (j *job) engineCache() (string, error) {
	root := j.cfg.CacheDir
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for TensorRT engines: %w", err)
		}
		root = filepath.Join(user, "upscaled", "tensorrt")
	}
	dir := filepath.Join(root, j.engineKey(driverVersion(), deviceName(j.cfg.Device)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("no folder for TensorRT engines: %w", err)
	}
	return dir, nil
}

// engineKey names what an engine was built for.
func (j *job) engineKey(driver, device string) string {
	in := j.plan.In
	parts := []string{
		j.model.sha256, fmt.Sprint(in, j.plan.Mix), j.cfg.Precision,
		fmt.Sprint(j.cfg.Device), device, driver, WantedVersion(),
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%s-%s-%dx%d-%s", j.model.sha256[:8], in.Format, in.Width, in.Height, hex.EncodeToString(sum[:8]))
}

// driverVersion returns what the NVIDIA kernel driver says of itself, or "".
func driverVersion() string {
	data, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return "" // no driver: the provider itself will say so
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// deviceName returns the model name of the NVIDIA GPU with that number in bus
// order, or "".
func deviceName(device int) string {
	files, err := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	if err != nil || device >= len(files) {
		return ""
	}
	data, err := os.ReadFile(files[device])
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "Model:"); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

module github.com/upscaled-media/upscaled

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	github.com/go-gst/go-gst v1.4.0
	github.com/schollz/progressbar/v3 v3.19.1
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.44.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
)

require (
	github.com/go-gst/go-glib v1.4.0 // indirect
	github.com/mattn/go-pointer v0.0.1 // indirect
	github.com/yalue/onnxruntime_go v1.27.0
	golang.org/x/exp v0.0.0-20240909161429-701f63a606c0 // indirect
	golang.org/x/image v0.36.0
	golang.org/x/text v0.34.0 // indirect
)

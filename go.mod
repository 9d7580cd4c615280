module github.com/upscaled-media/upscaled

go 1.25.0

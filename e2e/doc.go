// Package e2e plays films from the built programs: the real server with real
// workers, read by players of others. It has nothing but tests, under the build tag
// e2e, since they need both programs built, ffmpeg, GStreamer's tools and Chromium:
//
//	make e2e
//
//	TestMain ─► go build upscaled, upscaled-server
//	each test ─► films (drawn by internal/testmedia, encoded by ffmpeg)
//	          ─► internal/daemon (the server's process) ─► POST /v1/sessions ─► urls.master
//	          ─► ffprobe, ffmpeg, playbin3, hls.js in Chromium ─► frame numbers, flashes, beeps
//	          ─► the server's end: no process, descriptor, or file left, no error logged
//
// What a film shows is read back out of its pictures and its sound, so that a picture
// that is missing, doubled, out of order or at a wrong time is found whatever made it
// so.
//
// Nothing here reaches C; package.json has what the browser tests need from npm.
package e2e

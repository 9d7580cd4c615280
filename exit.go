package main

import (
	"errors"
	"strings"

	"github.com/upscaled-media/upscaled/client"
	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/problem"
)

// Exit statuses that are not of a code.
const (
	exitInternal = 1
	exitUsage    = 2
)

// errReported is wrapped by errors whose sentence the user has already seen.
var errReported = errors.New("reported")

// exitStatuses gives every code its own exit status. They are stable: scripts
// rely on them. Below 10 is this program's, from 10 the media's, from 30 the
// output's, from 40 the model's, from 50 the machine's, from 60 a server's.
var exitStatuses = map[pipeline.Code]int{
	pipeline.CodeInternal:     exitInternal,
	pipeline.CodeSpec:         exitUsage,
	pipeline.CodeNotFound:     10,
	pipeline.CodeUnreadable:   11,
	pipeline.CodeEmpty:        12,
	pipeline.CodeNotMedia:     13,
	pipeline.CodeNoVideo:      14,
	pipeline.CodeEncrypted:    15,
	pipeline.CodeUnknownCodec: 16,
	pipeline.CodeTooLarge:     17,
	pipeline.CodeDamaged:      18,
	pipeline.CodeSizeChanged:  19,
	pipeline.CodeHDR:          20,
	pipeline.CodeNotStream:    21,
	job.CodeOutputExists:      30,
	job.CodeOutputRefused:     31,
	pipeline.CodeDiskFull:     32,
	pipeline.CodeOutput:       33,
	job.CodeModelUnknown:      40,
	job.CodeModelInvalid:      41,
	pipeline.CodeModel:        42,
	job.CodeProvider:          43,
	job.CodeRuntime:           50,
	pipeline.CodeMissing:      51,
	pipeline.CodeStalled:      52,
	codeWorkerFailed:          53,
	codeWorkerHung:            54,
	codeWorkerLost:            55,
	codeWorkerMemory:          56,
	codeUnreachable:           60,
	codeUnauthorized:          61,
	codeForbidden:             62,
	codeSourceRefused:         63,
	codeJobCancelled:          64,
	codeJobUnknown:            65,
	codeJobOver:               66,
	codeTooManyJobs:           67,
	codeWebhookRefused:        68,

	pipeline.Code(client.CodeLost):         70,
	pipeline.Code(client.CodeNoServer):     71,
	pipeline.Code(problem.Busy):            72,
	pipeline.Code(problem.TooManySessions): 73,
	pipeline.Code(problem.QueueFull):       74,
	pipeline.Code(problem.SpoolFull):       75,
	pipeline.Code(problem.SessionEnded):    76,
	pipeline.Code(problem.ShuttingDown):    77,
}

// statusOf returns the exit status an error stands for.
func statusOf(err error) int {
	var i interrupted
	if errors.As(err, &i) {
		return 128 + int(i.signal)
	}
	if s, ok := exitStatuses[pipeline.CodeOf(err)]; ok {
		return s
	}
	return exitInternal
}

// sentence returns what the user is told of an error: its public sentence,
// without the chain behind it, which goes to the log.
func sentence(err error) string {
	var e *pipeline.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.Code == pipeline.CodeModel || e.Code == pipeline.CodeInternal { // the chain is all there is
		return e.Error()
	}
	return strings.TrimSuffix(e.Sentence, ".")
}

package playback

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/problem"
)

// It has huma tell members by their case, too: it is one variable for the
// whole process.
var _ = func() bool {
	huma.ValidateStrictCasing = true
	return true
}()

// Decode reads a document and holds it to the rules in the tags of its fields. A
// member that there is not is an error. Errors are problems that name the place,
// which begins with where.
func Decode[T any](data []byte, where string) (T, error) {
	var out T
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return out, Faulty(problem.Fault{Where: where, What: fmt.Sprintf("is no JSON: %s", err)})
	}
	// Made for each document: schemas are not safe for use by several goroutines,
	// and these are small.
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := registry.Schema(reflect.TypeFor[T](), true, "")
	path, result := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	path.Push(where)
	huma.Validate(registry, schema, path, huma.ModeWriteToServer, raw, result)
	if len(result.Errors) > 0 {
		return out, Faulty(Faults(result.Errors...)...)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return out, Faulty(problem.Fault{Where: where, What: err.Error()})
	}
	return out, nil
}

// maxFaults bounds how many faults of a request are told.
const maxFaults = 16

// Faults returns what huma says of a request, without the values that it repeats.
func Faults(errs ...error) []problem.Fault {
	var faults []problem.Fault
	for _, err := range errs {
		if err == nil || len(faults) == maxFaults {
			continue
		}
		fault := problem.Fault{What: err.Error()}
		if said, ok := err.(huma.ErrorDetailer); ok {
			detail := said.ErrorDetail()
			fault = problem.Fault{Where: detail.Location, What: detail.Message}
		}
		faults = append(faults, fault)
	}
	return faults
}

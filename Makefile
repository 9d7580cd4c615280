# Every target works on a bare Debian 12 with Go and Node.js; none needs a container engine.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# A file name is taken as it is: spaces, quotes and dollars belong to it.
override SRC := $(value SRC)
export SRC

GOLANGCI_LINT := .deps/bin/golangci-lint-v2.15.0

# The packages that may reach C, one a line; every other one is tested without a C compiler's help.
CGO_LIST := internal/arch/cgo.txt
GST_PACKAGES := ./internal/leak ./elements/adjust ./elements/grid ./elements/source ./elements/upscale/... ./pipeline/... ./worker
# What GStreamer's own checks watch: every critical is fatal, live objects are traced, and the
# collector runs all the time, so that a wrapper dropped too early is found at once.
WATCHED := G_DEBUG=fatal-criticals GST_TRACERS=leaks GOGC=1
FUZZTIME ?= 20s
SOAK ?= 10m

.PHONY: help deps build demo test e2e race leaks bench soak fuzz lint tidy-check docs-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install what is missing to build and run
	@deploy/install-deps.sh build

build: deps ## build bin/upscaled, and the server bin/upscaled-server
	vcs=$$(git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false); \
	go build -buildvcs=$$vcs -o bin/upscaled . && \
	CGO_ENABLED=0 go build -buildvcs=$$vcs -o bin/upscaled-server ./cmd/upscaled-server

demo: build ## draw a clip and upscale it, or your own: make demo SRC=film.mkv
	bin/upscaled demo $${SRC:+--source "$$SRC"}

test: ## install what is missing and run every test
	@deploy/install-deps.sh test
	packages=$$(go list ./... | grep -vxFf $(CGO_LIST)); CGO_ENABLED=0 go test -count=1 $$packages
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w is due on: $$unformatted" >&2; exit 1; }
	go vet -tags e2e ./...
	watched=$$(go list $(GST_PACKAGES)); packages=$$(go list ./... | grep -xFf $(CGO_LIST) | grep -vxF "$$watched"); go test -count=1 -timeout 20m $$packages
	$(WATCHED) go test -count=1 -timeout 20m $(GST_PACKAGES)
	$(MAKE) e2e

e2e: e2e/node_modules/.package-lock.json ## play films with the built programs, in ffmpeg, GStreamer and a browser
	@deploy/install-deps.sh test
	go test -tags e2e -count=1 -timeout 40m ./e2e

# What is pinned in the lock file, hashes and all. npm writes the target.
e2e/node_modules/.package-lock.json: e2e/package-lock.json
	@deploy/install-deps.sh test
	cd e2e && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

race: ## run every test under the race detector
	@deploy/install-deps.sh test
	go test -race -count=1 -timeout 40m ./...

leaks: ## run the GStreamer tests with every critical fatal, the leaks tracer, and the collector always on
	@deploy/install-deps.sh test
	$(WATCHED) go test -v -count=1 -timeout 20m $(GST_PACKAGES)

bench: build ## measure the stages alone and together; figures go to bench/
	bin/upscaled bench

soak: build ## play, seek, kill and hang up at random for SOAK (10m), and check that the server bears it
	bin/upscaled soak --for $(SOAK) $(if $(SEED),--seed $(SEED))

fuzz: ## fuzz every parser for FUZZTIME (20s) each
	@deploy/install-deps.sh test
	@go list ./... | while read -r package; do \
		go test -list '^Fuzz' "$$package" | { grep '^Fuzz' || true; } | while read -r target; do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
		done; \
	done

lint: deps $(GOLANGCI_LINT) ## run golangci-lint at its pinned version
	$(GOLANGCI_LINT) run ./...

$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/.deps/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(subst .deps/bin/golangci-lint-,,$@)
	mv .deps/bin/golangci-lint $@

tidy-check: ## fail if go.mod or go.sum is not what go mod tidy writes
	go mod tidy -diff

docs-check: ## fail if a generated page is stale or a link leads nowhere
	@deploy/install-deps.sh build
	go test -count=1 -run '^TestDocs' ./...

# Fairlead. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
# Two installations at once would fight over apt's lock.
.NOTPARALLEL:

# Results of unchanged tests are reused, but never in CI.
TESTFLAGS ?= $(if $(CI),-count=1)
# The longest that the tests of one package may take.
TIMEOUT ?= 30m
FUZZTIME ?= 10s
PACKAGES ?= ./...
# Arguments of a benchmark: ROWS, SYSTEMS, ROUNDS, QUICK=1, PAGE=1.
BENCHFLAGS = $(if $(ROWS),--rows $(ROWS)) $(if $(SYSTEMS),--systems $(SYSTEMS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	$(if $(QUICK),--quick) $(if $(PAGE),--page docs/benchmarks.md)
CLIENTFLAGS = $(subst --page ,--page ../,$(BENCHFLAGS))
# What of bench/ is checked along with the rest: all but what needs etcd's
# server, which takes a minute to compile.
BENCHLIGHT = $$(go list ./internal/... ./cmd/bench-client | grep -v /systems/etcd)

once := $(if $(filter-out 0 no false,$(ONCE)),--once)

.PHONY: help
help: ## Say what there is
	@echo 'make TARGET, where TARGET is one of:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: need-demo build ## Run a realm of services and break things under load (ONCE=1: end by itself; ARGS='-o json')
	bin/fairlead demo $(once) $(ARGS)

.PHONY: test
test: need-test lint build ## Check everything: lint, tests with the race detector, import rules, the demo once
	CGO_ENABLED=1 go test -race -vet=off -timeout $(TIMEOUT) $(TESTFLAGS) $(PACKAGES)
	go test -vet=off $(TESTFLAGS) -run 'OpensItsStoreAgain' ./bus/embedded # not for the race detector
	cd bench && CGO_ENABLED=1 go test -race -vet=off -timeout $(TIMEOUT) $(TESTFLAGS) $(BENCHLIGHT)
	bin/fairlead demo --once -o json

.PHONY: test-faults
test-faults: need-test ## Break a running realm in every way there is a promise about (needs root)
	FAIRLEAD_FAULTS=long go test -count=1 -timeout 30m -run TestFault ./internal/acceptance -v

.PHONY: build
build: need-build ## Build bin/fairlead
	CGO_ENABLED=0 go build -trimpath -o bin/fairlead ./cmd/fairlead

.PHONY: install
install: need-build ## Install fairlead where `go install` puts programs
	CGO_ENABLED=0 go install -trimpath ./cmd/fairlead

.PHONY: lint
lint: need-build ## Check format, vet and staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w would change: $$unformatted" >&2; exit 1; fi
	go vet $(PACKAGES)
	go tool staticcheck $(PACKAGES)
	cd bench && go vet $(BENCHLIGHT)

.PHONY: rules
rules: need-build ## Check the import rules alone
	go test $(TESTFLAGS) ./internal/architecture

.PHONY: bench-registry
bench-registry: need-bench build ## Measure the registry beside etcd, NATS KV and ZooKeeper (ROWS=, SYSTEMS=, ROUNDS=, QUICK=1)
	cd bench && CGO_ENABLED=0 go build -trimpath -o ../bin/bench-registry ./cmd/bench-registry
	bin/bench-registry --fairlead bin/fairlead --results bin/bench-registry.json $(BENCHFLAGS) $(ARGS)

.PHONY: bench-client
bench-client: need-build ## Measure the smart client beside other HTTP clients (ROWS=, SYSTEMS=, ROUNDS=, QUICK=1)
	cd bench && CGO_ENABLED=0 go build -trimpath -o ../bin/bench-client ./cmd/bench-client
	cd bench && ../bin/bench-client --results ../bin/bench-client.json $(CLIENTFLAGS) $(ARGS)

.PHONY: bench-sidecar
bench-sidecar: need-bench-sidecar build ## Measure the sidecar's planes beside HAProxy, nginx and Caddy (ROWS=, ROUNDS=, QUICK=1, PAGE=1)
	cd bench && CGO_ENABLED=0 go build -trimpath -o ../bin/bench-sidecar ./cmd/bench-sidecar
	cd bench/caddy && CGO_ENABLED=0 go build -trimpath -o ../../bin/bench-caddy .
	bin/bench-sidecar --fairlead bin/fairlead --caddy bin/bench-caddy --results bin/bench-sidecar.json $(BENCHFLAGS) $(ARGS)

.PHONY: bench-lint
bench-lint: need-build ## Check bench/ whole, etcd included
	cd bench && go vet ./... && go tool staticcheck ./... && go test ./...

.PHONY: fuzz
fuzz: need-build ## Run each fuzz target for FUZZTIME (10s)
	scripts/fuzz $(FUZZTIME)

.PHONY: tools
tools: need-test ## Install what the targets need, and fetch the modules
	go mod download
	go build -o /dev/null honnef.co/go/tools/cmd/staticcheck

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

# What each needs beyond Go and make. Debian's packages are installed when they
# are missing.
.PHONY: need-build need-demo need-test need-bench need-bench-sidecar
need-build: ; @scripts/ensure go certs
need-demo: ; @scripts/ensure go certs python3
need-test: ; @scripts/ensure go certs cc python3 curl node ip mount haproxy
need-bench: ; @scripts/ensure go certs java zookeeper
need-bench-sidecar: ; @scripts/ensure go certs haproxy nginx wrk taskset

# Two commands do everything on a fresh Debian machine with Go: `make demo` and `make test`.
SHELL := /bin/bash
GOLANGCI_VERSION := v2.15.0
GOBIN_DIR := $(shell go env GOPATH)/bin

.PHONY: build deps newansible demo test lint bench soak clean

build: ## the binary, bin/upstep, which needs no library of the machine it runs on
	CGO_ENABLED=0 go build -o bin/upstep ./cmd/upstep

deps: ## installs what tests and demo need, where it is missing
	@scripts/deps

newansible: ## a newer Ansible for tests, in the user's cache; without it they skip, and say so
	@scripts/newansible > /dev/null || echo "SKIPPED: no test runs with a newer Ansible" >&2

demo: build ## a real upgrade on hosts that the demo makes itself; without root, on folders
	go build -o bin/bench ./bench
	@scripts/deps $(if $(filter 0,$(shell id -u)),hosts,folders)
	@scripts/demo

test: deps newansible build ## every test; CGO for the race detector needs gcc, which deps installs
	go vet ./...
	go test -race -shuffle=on -timeout 60m ./...

lint: ## golangci-lint, installed once where it is missing
	@$(GOBIN_DIR)/golangci-lint version 2>/dev/null | grep -q "$(GOLANGCI_VERSION:v%=%)" || \
		go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	$(GOBIN_DIR)/golangci-lint run ./...

bench: build ## ratios from one run
	go build -o bin/bench ./bench
	bin/bench
	@if [ -d "$${UPSTEP_THT_DIR:-../shared/tripleo}" ]; then bin/bench -tripleo "$${UPSTEP_THT_DIR:-../shared/tripleo}"; else echo "no TripleO templates (UPSTEP_THT_DIR names a folder with ocata/ and train/): import is not measured"; fi
	@scripts/benchrun

soak: deps newansible build ## the long proofs in full
	UPSTEP_SOAK=1 go test -race -shuffle=on -timeout 120m ./...
	scripts/fuzz 2m

clean:
	rm -rf bin

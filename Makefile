# make help lists the targets. Nothing here needs root; what does is skipped by
# the tests themselves, with the reason.

GO       ?= go
FUZZTIME ?= 10s
SOAK     ?= 10m
LINT     := bin/tools/golangci-lint
BPF2GO   := bin/tools/bpf2go
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# The race detector needs a C compiler that works.
RACE     := $(shell echo 'int main(void){return 0;}' | $$($(GO) env CC) -x c -o /dev/null - 2>/dev/null && echo -race)

.DEFAULT_GOAL := help
.PHONY: help run build check test conformance soak lab bpf bench-l4 bench-l7 pgo fuzz

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build bin/portico
	CGO_ENABLED=0 $(GO) build -trimpath -pgo=bench/portico.pgo -ldflags '-X main.version=$(VERSION)' -o bin/portico ./cmd/portico

run: build ## build, then start the demo: two sites on this machine, no root needed
	bin/portico demo

check: $(LINT) ## format, lint and short tests, for before a commit
	$(LINT) fmt --diff
	$(LINT) run
	$(GO) test -short -timeout 2m ./...

test: ## go vet and every test, with the race detector when there is a C compiler
	$(GO) vet ./...
	@$(if $(RACE),,echo "make test: no working C compiler, so without the race detector (Debian: apt-get install gcc libc6-dev)")
	$(GO) test $(RACE) -timeout 9m ./...

conformance: build ## public conformance suites (test/conformance); SCORES=write writes docs/reference/conformance.md
	PORTICO_BINARY=$(CURDIR)/bin/portico PORTICO_CONFORMANCE=1 PORTICO_SCORES=$(SCORES) $(GO) test -count=1 -timeout 15m ./test/conformance/...

soak: build ## misuse the binary for SOAK (10m), then look for leaks and counts that do not agree (test/soak); DRIVER=portable
	PORTICO_BINARY=$(CURDIR)/bin/portico SOAK=$(SOAK) DRIVER=$(DRIVER) $(GO) test -count=1 -v -timeout 0 -run TestSoak ./test/soak

lab: build ## drills in network namespaces behind a real router, as root (test/lab); RUN=TestKill for one, LAB=short for one mode in the kernel, LAB=write for the page (10 to 15 minutes)
	PORTICO_LAB=1 $(GO) test -count=1 -v -timeout 5m -parallel 4 -run '$(RUN)' ./vip/bgp
	PORTICO_BINARY=$(CURDIR)/bin/portico PORTICO_LAB=1 LAB=$(LAB) $(GO) test -count=1 -v -timeout 30m -parallel 2 -run '$(RUN)' ./test/lab

bpf: $(BPF2GO) ## compile the programs in the kernel again (l4/xdp/bpf; needs clang-14, libbpf-dev, linux-libc-dev)
	$(GO) generate ./l4/xdp/...

bench-l4: build ## what flows cost beside HAProxy and nginx (3 minutes)
	$(GO) run ./bench/l4/relay
	@if [ "$$(id -u)" = 0 ]; then $(GO) run ./bench/l4/xdp; else echo "bench/l4/xdp: not measured, for programs in the kernel need root"; fi

bench-l7: build ## the L7 proxy beside nginx and HAProxy: CPU and memory (8 minutes)
	$(GO) run ./bench/l7

pgo: ## profile the binary under the benches again, for make build (bench/portico.pgo; 3 minutes)
	rm -rf bin/profiles && mkdir -p bin/profiles
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/portico-profiled ./cmd/profiled
	PORTICO_PROFILES=$(CURDIR)/bin/profiles $(GO) run ./bench/l7 -only portico -portico bin/portico-profiled -rounds 2 -for 3s \
		-arms h1-c64,sticky,h1-c512,h1-64k,tls13,handshakes,h2,routes
	PORTICO_PROFILES=$(CURDIR)/bin/profiles $(GO) run ./bench/l4/relay -only portico -portico bin/portico-profiled -rounds 1 -for 3s
	$(GO) tool pprof -proto -output bench/portico.pgo $$(find bin/profiles -name '*.pprof' -size +1k) # of a run too short for a sample, pprof makes a profile without lines

fuzz: ## run every fuzz target for FUZZTIME (10s)
	@grep -rE --include='*_test.go' '^func Fuzz' . | sed -E 's/^\.\/(.*)\/[^/]*\.go:func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' | sort | \
	while read -r folder target; do \
		echo "== $$folder $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$folder" || exit 1; \
	done

# Linters have their own go.mod, away from what the product requires. Building
# them takes minutes, once.
$(LINT): tools/go.mod tools/go.sum
	@echo "building the linter, once; this takes a few minutes"
	cd tools && GOFLAGS=-mod=readonly $(GO) build -o ../$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

$(BPF2GO): tools/go.mod tools/go.sum
	cd tools && GOFLAGS=-mod=readonly $(GO) build -o ../$(BPF2GO) github.com/cilium/ebpf/cmd/bpf2go
	@touch $@

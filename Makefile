# Every target sets up what it needs through package registries; nothing needs to be installed but Go, Python 3, a C
# compiler (for the race detector) and make; `make test` also Linux with unshare (util-linux). `make help` lists them.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOL    := $(GO) tool -modfile=test/tools/go.mod

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## show Postern behind a real Envoy; ONCE=1 exits after the requests
	@$(GO) run ./test/demo $(if $(ONCE),--once)

.PHONY: test
test: ## run every test with the race detector, through a real Envoy and against a real Kubernetes API server
	@echo "== a Kubernetes cluster, whose programs are built once"
	$(GO) run ./test/kube/cluster --controllers -- kubectl get nodes
	@echo "== unit tests, race detector on"
	$(GO) test -race $$($(GO) list ./... | grep -v -e /test/e2e -e /test/kube -e /test/mesh -e /test/chart -e /test/image -e /deploy/)
	@echo "== tests against a real Kubernetes API server"
	$(GO) test -race -count=1 -timeout 20m ./test/kube/...
	@echo "== the chart, the manifests and the image"
	$(GO) test -race -count=1 -timeout 30m ./test/chart/... ./test/image/... ./deploy/...
	@echo "== end-to-end tests through Envoy"
	$(GO) test -race -count=1 -timeout 20m ./test/e2e/...

.PHONY: test-mesh
test-mesh: ## let istiod and Envoy Gateway configure real Envoys by the examples in envoy/ and send requests
	$(GO) test -race -count=1 -timeout 2h -v ./test/mesh

.PHONY: cluster
cluster: ## start a Kubernetes API server, with a controller manager and a pretended node, until Ctrl-C
	@$(GO) run ./test/kube/cluster --controllers

.PHONY: bench
bench: ## measure CPU per check against an always-yes server, and Go benchmarks of the hot path
	$(GO) run ./test/load
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./internal/...

.PHONY: build
build: ## build the static binary bin/postern
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/postern ./cmd/postern

.PHONY: image
image: ## build the container image into dist/image, an OCI layout; PUSH=repository TAGS=a,b pushes it instead
	cd deploy/image && $(GO) run . --version '$(VERSION)' --commit '$(COMMIT)' --created "$$(git log -1 --format=%ct)" \
	  --sbom '$(CURDIR)/dist' $(if $(PUSH),--push '$(PUSH)' --tags '$(TAGS)',--layout '$(CURDIR)/dist/image')

.PHONY: lint
lint: ## run golangci-lint and buf, compare the admin API with the last release, check that go.mod is tidy
	$(TOOL) golangci-lint run ./...
	proto/buf.sh lint
	proto/buf.sh breaking
	$(GO) mod tidy -diff

.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities in what is called; GOVULNDB names another database
	$(TOOL) govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

.PHONY: generate
generate: ## remake generated files
	$(GO) generate ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 20s)
	test/fuzz.sh $(or $(FUZZTIME),20s)

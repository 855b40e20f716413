# Targets for people who work on KubeFledged; `make` alone lists them.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One setting for every build: the images hold static programs, and a second
# setting would compile Kubernetes (13 minutes) a second time.
export CGO_ENABLED := 0

HOST_ARCH := $(shell go env GOARCH)
ARCHS ?= amd64 arm64
# Read once, so that one run names all it makes alike.
VERSION := $(or $(VERSION),$(shell git describe --tags --always --dirty 2>/dev/null),dev)
COMMIT := $(or $(COMMIT),$(shell git rev-parse HEAD 2>/dev/null),unknown)

VERSION_PACKAGE := github.com/kubefledged/kubefledged-operator/internal/version
LDFLAGS = -s -w -X $(VERSION_PACKAGE).Version=$(VERSION) -X $(VERSION_PACKAGE).Commit=$(COMMIT)
# The tag leaves tracing pages out of gRPC, a quarter of kubefledged-cri-client.
# Paths are trimmed for releases only: the flag would split the build cache. What
# git says is left out there: COMMIT is in, and a tag must not change a digest.
GO_BUILD_FLAGS = -tags grpcnotrace $(if $(RELEASE),-trimpath -buildvcs=false) -ldflags "$(LDFLAGS)"

LOCALCLUSTER := bin/localcluster
# For the cluster of KUBECONFIG: make deploy KUBECTL=kubectl
KUBECTL ?= $(LOCALCLUSTER) kubectl
KUBECTL_PROGRAM = $(filter $(LOCALCLUSTER),$(KUBECTL))

# Tools are pinned in hack/tools and compiled by the go command when first used.
CONTROLLER_GEN := go tool -modfile=hack/tools/go.mod controller-gen
KUSTOMIZE := go tool -modfile=hack/tools/go.mod kustomize
CRANE := go tool -modfile=hack/tools/go.mod crane
BENCHSTAT := go tool -modfile=hack/tools/go.mod benchstat
HELM := go tool -modfile=hack/tools/helm/go.mod helm

# The linter takes minutes to compile, so its binary outlives the checkout. It
# must be built by the Go version whose code it reads.
KUBEFLEDGED_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
GOLANGCI_LINT_VERSION := $(shell awk '$$1 == "github.com/golangci/golangci-lint/v2" {print $$2}' hack/tools/golangci-lint/go.mod)
GOLANGCI_LINT := $(KUBEFLEDGED_CACHE)/kubefledged/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)-$(shell go env GOVERSION)

# Modules with code of our own. The others under test/cluster only pin programs.
MODULES := . test/cluster hack/release

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET [VARIABLE=value]"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## Remove what was built here, images too; the caches stay.
	rm -rf bin dist test/cluster/bin

##@ Develop

NODES ?= 2

.PHONY: cluster-up
cluster-up: $(LOCALCLUSTER) ## Start a local cluster (root): NODES=2 NODE_LABELS="worker1=disk=ssd".
	$(LOCALCLUSTER) up --nodes $(NODES) $(addprefix --node-labels ,$(NODE_LABELS))

.PHONY: cluster-images
cluster-images: $(LOCALCLUSTER) ## Build the images and push them to the local cluster's registry.
	@registry=$$($(LOCALCLUSTER) path registry); \
	  $(MAKE) push REGISTRY=$$registry/$(notdir $(REGISTRY)) TAG=$(TAG) INSECURE=--insecure
	@printf 'nodes can pull $(REGISTRY)/%s\n' $(IMAGES:%=kubefledged-%:$(TAG))

.PHONY: cluster-build
cluster-build: $(LOCALCLUSTER) ## Compile the programs of the local cluster into the cache.
	$(LOCALCLUSTER) build

.PHONY: olm-up
olm-up: $(LOCALCLUSTER) ## Install the Operator Lifecycle Manager on the local cluster (root).
	$(LOCALCLUSTER) olm up

.PHONY: cluster-down
cluster-down: $(LOCALCLUSTER) ## Stop the local cluster and remove its traces (root).
	$(LOCALCLUSTER) down

.PHONY: cluster-status
cluster-status: $(LOCALCLUSTER) ## Show the parts of the local cluster.
	$(LOCALCLUSTER) status

.PHONY: kubectl
kubectl: $(LOCALCLUSTER) ## Run kubectl in the local cluster: ARGS="get nodes".
	@$(LOCALCLUSTER) kubectl $(ARGS)

# localcluster is its own module; go build is the judge of what is up to date.
$(LOCALCLUSTER): FORCE
	@go build -C test/cluster -o $(CURDIR)/$@ ./cmd/localcluster

FORCE:

##@ Generate

.PHONY: generate
generate: ## Write the deep-copy code of the API types.
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: ## Write the CRDs from the API types. Roles are written by hand.
	@rm -f config/crd/bases/*.yaml # the generator does not delete what is no longer a type
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	@rm -f helm-charts/kubefledged-crds/files/*.yaml # the chart's are copies
	cp config/crd/bases/kubefledged.io_*.yaml helm-charts/kubefledged-crds/files/

##@ Check

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format all Go code.
	$(GOLANGCI_LINT) fmt

.PHONY: fmt-check
fmt-check: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) fmt --diff

.PHONY: vet
vet: ## Run go vet.
	@for module in $(MODULES); do echo "go vet: $$module"; go vet -C $$module -tags e2e,full ./... || exit 1; done

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters of .golangci.yaml and hack/conventions.
	@status=0; \
	for module in $(MODULES); do \
	  echo "golangci-lint: $$module"; (cd $$module && $(GOLANGCI_LINT) run ./...) || status=1; \
	done; \
	go test ./hack/conventions || status=1; exit $$status

.PHONY: verify
verify: $(GOLANGCI_LINT) ## Check that generated files are current, modules tidy, code clean, the bundle valid.
	hack/verify.sh generate manifests operatorhub

.PHONY: tools
tools: $(GOLANGCI_LINT) $(LOCALCLUSTER) ## Compile the tools ahead of their first use.
	@go build -C hack/tools -o /dev/null tool
	@$(LOCALCLUSTER) build operator-sdk opm

$(GOLANGCI_LINT):
	@echo "Building golangci-lint $(GOLANGCI_LINT_VERSION), once; two to four minutes."
	@mkdir -p $(@D)
	go build -C hack/tools/golangci-lint -ldflags "-s -w" -o $@.tmp github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@mv $@.tmp $@

##@ Test

.PHONY: test
test: $(LOCALCLUSTER) ## Run unit, simulation and integration tests; no root needed.
	KUBEBUILDER_ASSETS="$$($(LOCALCLUSTER) assets)" go test -timeout 20m ./...
	go test -C test/cluster ./...
	go test -C hack/release ./...

.PHONY: test-unit
test-unit: ## Run only the tests that need no API server.
	KUBEBUILDER_ASSETS= go test -short ./...

# The detector needs cgo, which all other builds do without, and so a second
# compilation of what these packages import: hence only those with goroutines or
# with much state. Vet has seen the code already.
RACE_PACKAGES := ./internal/plan ./internal/simulation ./controllers/...

.PHONY: test-race
test-race: export CGO_ENABLED := 1
test-race: require-cc ## Run the tests of planner and controllers with the race detector.
	KUBEBUILDER_ASSETS= go test -race -short -vet=off $(RACE_PACKAGES)

# A compiler alone is not enough: Debian's comes without the C library's headers.
.PHONY: require-cc
require-cc:
	@echo '#include <stdlib.h>' | $${CC:-gcc} -xc -fsyntax-only - 2>/dev/null \
	  || { CGO_ENABLED=0 $(MAKE) $(LOCALCLUSTER) && $(LOCALCLUSTER) require gcc libc6-dev; }

FUZZTIME ?= 30s
FUZZ_PACKAGES ?= ./internal/...

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME=30s; what it finds goes to testdata/fuzz.
	@for package in $$(go list $(FUZZ_PACKAGES)); do \
	  for name in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "fuzz: $$package $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

comma := ,
# One package, so that its output appears as it comes.
E2E = LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) go test -tags $(if $(E2E_FULL),e2e$(comma)full,e2e) -count=1 -v $(if $(RUN),-run '$(RUN)') ./test/e2e

.PHONY: e2e
e2e: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Run the scenarios on real nodes (root on Linux): RUN=regexp.
	$(E2E) -timeout 20m

# All scenarios wait for their cluster at once.
E2E_OPERATOR = LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) go test -tags e2e -count=1 -parallel 64 -v $(if $(RUN),-run '$(RUN)') ./test/e2e/operator

.PHONY: e2e-operator
e2e-operator: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Run the scenarios of the operator that fit into CI (root on Linux): RUN=regexp.
	$(E2E_OPERATOR) -timeout 15m

OPERATOR_REPORT := $(CURDIR)/bin/e2e-operator-report.jsonl

.PHONY: e2e-operator-full
e2e-operator-full: export E2E_FULL := 1
e2e-operator-full: export E2E_REPORT := $(OPERATOR_REPORT)
e2e-operator-full: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Run all scenarios of installing, changing and removing, in their longer forms.
	@rm -f $(OPERATOR_REPORT)
	$(E2E_OPERATOR) -timeout 60m

.PHONY: e2e-olm
e2e-olm: $(LOCALCLUSTER) ## Run the scenarios with the Operator Lifecycle Manager (root on Linux): RUN=regexp.
	LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) go test -tags e2e -count=1 -v $(if $(RUN),-run '$(RUN)') -timeout 30m ./test/olm

# Needs an image cache on the cluster of KUBECONFIG, and nodes that can pull the images.
SCORECARD_IMG ?= $(REGISTRY)/kubefledged-scorecard:$(TAG)
SCORECARD_UNTAR_IMG ?= quay.io/operator-framework/scorecard-untar:v1.42.3
SCORECARD_NAMESPACE := kubefledged-scorecard

.PHONY: scorecard
scorecard: $(LOCALCLUSTER) ## Run the tests of operator-sdk scorecard and our own one: BUNDLE_DIR=bundle.
	@$(KUBECTL) create namespace $(SCORECARD_NAMESPACE) --dry-run=client -o yaml | $(APPLY) >&2
	@$(KUBECTL) apply --server-side -f test/scorecard/rbac.yaml >&2
	@mkdir -p bin; sed 's|SCORECARD_IMG|$(SCORECARD_IMG)|' test/scorecard/config.yaml > bin/scorecard.yaml
	@$(SDK) scorecard $(BUNDLE_DIR) --config bin/scorecard.yaml --namespace $(SCORECARD_NAMESPACE) \
	  --untar-image $(SCORECARD_UNTAR_IMG) --pod-security restricted --wait-time 5m --output json

.PHONY: scorecard-push
scorecard-push: $(RELEASE_TOOL) ## Push the image of our own test of scorecard to REGISTRY.
	@GOOS=linux GOARCH=$(HOST_ARCH) go build -ldflags '-s -w' -o bin/linux_$(HOST_ARCH)/ ./test/scorecard
	@$(RELEASE_TOOL) image --file test/scorecard/Dockerfile --archs $(HOST_ARCH) --reference $(SCORECARD_IMG) --push $(INSECURE)

# What the scenarios report of faults, a JSON object a line.
REPORT := $(CURDIR)/bin/e2e-report.jsonl

.PHONY: e2e-full
e2e-full: export E2E_FULL := 1
e2e-full: export E2E_REPORT := $(REPORT)
e2e-full: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Run the scenarios in their longer forms, and those that find out facts.
	@rm -f $(REPORT)
	$(E2E) -timeout 90m

EVIDENCE := docs/evidence/e2e-full.txt

# What failed is written too: a page that shows good runs only is no evidence.
.PHONY: evidence
evidence: ## Run e2e-full and write its figures to docs/evidence and docs/reliability.md.
	@mkdir -p bin; rm -f bin/e2e-full.failed
	$(MAKE) e2e-full | tee bin/e2e-full.log || touch bin/e2e-full.failed
	@{ echo "make e2e-full at $(COMMIT), $$(nproc) cores, Linux $$(uname -r)"; \
	  grep -E '^ *(--- |ok|FAIL)|_test.go:[0-9]+: ' bin/e2e-full.log | cut -c1-200; } > $(EVIDENCE)
	@go run ./test/reliability -commit $(COMMIT) < $(REPORT) > bin/reliability.md
	@mv bin/reliability.md docs/reliability.md
	@echo "wrote $(EVIDENCE) and docs/reliability.md"; test ! -e bin/e2e-full.failed

OPERATOR_EVIDENCE := docs/evidence/e2e-operator.txt

.PHONY: evidence-operator
evidence-operator: ## Run e2e-operator-full and write its figures to docs/evidence.
	@mkdir -p bin; rm -f bin/e2e-operator.failed
	$(MAKE) e2e-operator-full || touch bin/e2e-operator.failed
	@go run ./test/reliability -text "make e2e-operator-full at $(COMMIT), $$(nproc) cores, Linux $$(uname -r)" \
	  < $(OPERATOR_REPORT) > bin/e2e-operator.txt
	@mv bin/e2e-operator.txt $(OPERATOR_EVIDENCE); echo "wrote $(OPERATOR_EVIDENCE)"; test ! -e bin/e2e-operator.failed

.PHONY: evidence-olm
evidence-olm: ## Run e2e-olm and write its figures and those of scorecard to docs/evidence.
	@mkdir -p bin; rm -f bin/e2e-olm.failed
	SCORECARD_OUTPUT=$(CURDIR)/bin/scorecard.txt $(MAKE) e2e-olm | tee bin/e2e-olm.log || touch bin/e2e-olm.failed
	@for name in e2e-olm scorecard; do \
	  echo "make e2e-olm at $(COMMIT), $$(nproc) cores, Linux $$(uname -r)" > docs/evidence/$$name.txt; \
	done
	@grep -E '^ *(--- |ok|FAIL)|_test.go:[0-9]+: ' bin/e2e-olm.log | cut -c1-200 >> docs/evidence/e2e-olm.txt
	@cat bin/scorecard.txt >> docs/evidence/scorecard.txt
	@echo "wrote docs/evidence/e2e-olm.txt and scorecard.txt"; test ! -e bin/e2e-olm.failed

.PHONY: demo
demo: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Show the product at work in a local cluster (root on Linux); KEEP=1 leaves it installed.
	@LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) KEEP=$(KEEP) go run ./test/demo

.PHONY: benchmark
benchmark: $(LOCALCLUSTER) build-$(HOST_ARCH) ## Measure the speed on one real node (root on Linux).
	@LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) go run ./test/benchmark

SIZE ?= 100x10
QPS ?= 20
# The smallest size is quick enough for every change: it leaves out what takes
# long. The largest leaves out what gives every node a Job or two once more, and
# has leases renewed less often than the kubelets' ten seconds: 500 renewals a
# second are all that two cores can do.
SCALE_FLAGS_100x10 = -short -limit=10m
SCALE_FLAGS_5000x50 = -lease=400 -without=demand,edit,purge

.PHONY: scale
scale: $(LOCALCLUSTER) ## Measure on simulated nodes (root on Linux): SIZE=100x10|1000x50|5000x50 QPS=20 ARGS=, OUT=docs/benchmarks/scale to write.
	@go build -o bin/scale ./test/scale
	LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) bin/scale -size $(SIZE) -qps $(QPS) $(SCALE_FLAGS_$(SIZE)) -ranges test/scale/ranges.yaml $(if $(OUT),-out $(OUT)) $(ARGS)

.PHONY: scale-batches
scale-batches: $(LOCALCLUSTER) ## Measure 50 simulated nodes with 50 images by the images of a Job, into docs/benchmarks/batches (root on Linux).
	@go build -o bin/scale ./test/scale
	for images in 1 3 9 25 50 0; do \
	  LOCALCLUSTER=$(CURDIR)/$(LOCALCLUSTER) bin/scale -size 50x50 -qps 100 -per-job $$images -without=all -out docs/benchmarks/batches || exit 1; \
	done

.PHONY: bench
bench: ## Run the benchmarks; the results go to bench.out too.
	go test -run '^$$' -bench . -benchmem -count=6 ./internal/... | tee bench.out

.PHONY: benchstat
benchstat: ## Compare benchmark outputs: ARGS="old.out new.out".
	@$(BENCHSTAT) $(ARGS)

##@ Build

BUILDS := $(sort $(addprefix build-,$(ARCHS) $(HOST_ARCH)))

.PHONY: build
build: $(addprefix build-,$(ARCHS)) ## Build all programs for ARCHS="amd64 arm64"; RELEASE=1 trims paths.

.PHONY: $(BUILDS)
$(BUILDS): build-%:
	@mkdir -p bin/linux_$*
	GOOS=linux GOARCH=$* go build $(GO_BUILD_FLAGS) -o bin/linux_$*/ ./cmd/...

IMAGES := controller cri-client operator
# What manifests call the images. The nodes of a local cluster take ghcr.io from
# the cluster's own registry, so the names are the same there.
REGISTRY ?= ghcr.io/kubefledged
TAG ?= $(VERSION)
CONTROLLER_IMG ?= $(REGISTRY)/kubefledged-controller:$(TAG)
CRI_CLIENT_IMG ?= $(REGISTRY)/kubefledged-cri-client:$(TAG)
OPERATOR_IMG ?= $(REGISTRY)/kubefledged-operator:$(TAG)

# Images are put together without a container engine, from what the Dockerfile
# says: without root, and the same programs make the same digests anywhere.
RELEASE_TOOL := bin/release
# --insecure for a registry that speaks plain HTTP, unless it is on loopback.
INSECURE ?=
IMAGE_ARCHS ?= $(if $(RELEASE),$(ARCHS),$(HOST_ARCH))
IMAGE = $(RELEASE_TOOL) image --target $* --archs "$(IMAGE_ARCHS)" --reference $(REGISTRY)/kubefledged-$*:$(TAG) $(IMAGE_LABELS)
IMAGE_LABELS = $(foreach label,source=https://github.com/kubefledged/kubefledged-operator licenses=Apache-2.0 \
	version=$(VERSION) revision=$(COMMIT),--label org.opencontainers.image.$(label))

$(RELEASE_TOOL): FORCE
	@go build -C hack/release -o $(CURDIR)/$@ .

.PHONY: images
images: $(addprefix image-,$(IMAGES)) ## Build the images for this machine into dist/images; RELEASE=1 for ARCHS.

.PHONY: $(addprefix image-,$(IMAGES)) $(addprefix push-,$(IMAGES))
$(addprefix image-,$(IMAGES)): image-%: $(addprefix build-,$(IMAGE_ARCHS)) $(RELEASE_TOOL)
	@$(IMAGE) --output dist/images/kubefledged-$*

.PHONY: push
push: $(addprefix push-,$(IMAGES)) ## Push the images to REGISTRY=ghcr.io/kubefledged, or host:port on loopback.

$(addprefix push-,$(IMAGES)): push-%: $(addprefix build-,$(IMAGE_ARCHS)) $(RELEASE_TOOL)
	@$(IMAGE) --push $(INSECURE)

##@ Deploy

# config/ names the images NAME:dev; what is applied names the real ones.
WITH_IMAGES = sed -e 's|kubefledged-controller:dev|$(CONTROLLER_IMG)|' \
	-e 's|kubefledged-cri-client:dev|$(CRI_CLIENT_IMG)|' -e 's|kubefledged-operator:dev|$(OPERATOR_IMG)|'
APPLY = $(KUBECTL) apply --server-side -f -
DELETE = $(KUBECTL) delete --ignore-not-found -f -
SAMPLE := config/samples/charts_v1alpha2_kubefledged.yaml
# helm works on the cluster of KUBECTL.
HELM_HERE = $(if $(KUBECTL_PROGRAM),KUBECONFIG=$$($(LOCALCLUSTER) path kubeconfig)) $(HELM) --namespace kube-fledged

.PHONY: install
install: $(KUBECTL_PROGRAM) ## Apply the CRDs.
	$(KUSTOMIZE) build config/crd | $(APPLY)

.PHONY: uninstall
uninstall: $(KUBECTL_PROGRAM) ## Delete the CRDs, and with them every ImageCache.
	$(KUSTOMIZE) build config/crd | $(DELETE)

.PHONY: deploy
deploy: $(KUBECTL_PROGRAM) ## Apply the CRDs and the operator with OPERATOR_IMG, CONTROLLER_IMG and CRI_CLIENT_IMG.
	$(KUSTOMIZE) build config/operator | $(WITH_IMAGES) | $(APPLY)
	$(KUBECTL) rollout status --timeout=5m -n kubefledged-operator deployment/kubefledged-operator

# A KubeFledged is held by the operator until what it stands for is gone.
.PHONY: undeploy
undeploy: $(KUBECTL_PROGRAM) ## Delete every KubeFledged and the operator; CRDs and ImageCaches stay.
	@$(MAKE) delete-kubefledgeds
	$(KUSTOMIZE) build config/manager | $(DELETE)
	$(KUSTOMIZE) build config/operator-rbac | $(DELETE)

.PHONY: deploy-using-operator
deploy-using-operator: deploy ## Have the operator install the image cache of config/samples.
	$(KUBECTL) apply --server-side -f $(SAMPLE)
	$(KUBECTL) wait --for=condition=Ready --timeout=5m -f $(SAMPLE) || { $(KUBECTL) get -o wide -f $(SAMPLE); exit 1; }

.PHONY: deploy-using-helm
deploy-using-helm: install ## Install the image cache by its chart, with the images of REGISTRY and TAG.
	$(HELM_HERE) upgrade --install --create-namespace --wait kubefledged helm-charts/kubefledged \
	  --set image.kubefledgedControllerRepository=$(REGISTRY)/kubefledged-controller \
	  --set image.kubefledgedCRIClientRepository=$(REGISTRY)/kubefledged-cri-client --set-string image.tag=$(TAG)

.PHONY: deploy-using-yaml
deploy-using-yaml: $(KUBECTL_PROGRAM) ## Apply config/default with CONTROLLER_IMG and CRI_CLIENT_IMG; WEBHOOK=false leaves the webhook out.
	$(KUSTOMIZE) build config/$(if $(filter false,$(WEBHOOK)),without-webhook,default) | $(WITH_IMAGES) | $(APPLY)
	$(KUBECTL) rollout status --timeout=5m -n kube-fledged deployment -l app=kubefledged

# Works on the cluster of KUBECONFIG. SDK_WITH="bin/localcluster exec -- env ..." is
# for a local one, whose registry only its own network knows: test/cluster/README.md.
SDK = $(SDK_WITH) $$($(LOCALCLUSTER) program operator-sdk)
OLM_NAMESPACE ?= kubefledged-operator

.PHONY: run-bundle
run-bundle: $(LOCALCLUSTER) ## Install the operator with OLM from BUNDLE_IMG=..., without a catalog.
	$(KUBECTL) create namespace $(OLM_NAMESPACE) --dry-run=client -o yaml | $(APPLY)
	$(SDK) run bundle $(BUNDLE_IMG) --namespace $(OLM_NAMESPACE) --install-mode AllNamespaces \
	  --security-context-config restricted --timeout 5m $(RUN_BUNDLE_FLAGS)

.PHONY: run-bundle-upgrade
run-bundle-upgrade: $(LOCALCLUSTER) ## Upgrade what run-bundle installed to BUNDLE_IMG=...
	$(SDK) run bundle-upgrade $(BUNDLE_IMG) --namespace $(OLM_NAMESPACE) --security-context-config restricted --timeout 5m

.PHONY: cleanup-bundle
cleanup-bundle: $(LOCALCLUSTER) ## Remove what run-bundle installed, KubeFledgeds, ImageCaches and CRDs too.
	@$(MAKE) delete-kubefledgeds
	$(SDK) cleanup kubefledged-operator --namespace $(OLM_NAMESPACE) --timeout 3m

.PHONY: update
update: $(KUBECTL_PROGRAM) ## Restart the programs of the image cache, for a tag that was pushed anew.
	$(KUBECTL) rollout restart -n kube-fledged deployment -l app=kubefledged
	$(KUBECTL) rollout status --timeout=5m -n kube-fledged deployment -l app=kubefledged

.PHONY: delete-kubefledgeds
delete-kubefledgeds:
	@if $(KUBECTL) get crd kubefledgeds.charts.helm.kubefledged.io >/dev/null 2>&1; then \
	  $(KUBECTL) delete kubefledgeds.charts.helm.kubefledged.io --all --all-namespaces --timeout=3m; \
	fi

.PHONY: remove-kubefledged
remove-kubefledged: $(KUBECTL_PROGRAM) ## Remove the image cache, however it was installed; CRDs, ImageCaches and the operator stay.
	@$(MAKE) delete-kubefledgeds
	$(KUBECTL) delete --ignore-not-found validatingwebhookconfiguration/kubefledged-webhook-server
	$(HELM_HERE) uninstall --ignore-not-found --wait kubefledged
	for part in webhook controller rbac removal; do $(KUSTOMIZE) build config/$$part | $(DELETE); done
	@$(MAKE) delete-records

# Without a controller nobody takes its finalizer, so what is left of its own goes
# with it: images stay on the nodes, as with an operator that uninstalls.
.PHONY: delete-records
delete-records:
	@if $(KUBECTL) get crd imagecaches.kubefledged.io nodecaches.kubefledged.io >/dev/null 2>&1; then \
	  $(KUBECTL) get imagecaches -A -o go-template-file=hack/finalizers.tmpl | while read -r namespace name index; do \
	    $(KUBECTL) patch imagecache "$$name" -n "$$namespace" --type=json \
	      -p "[{\"op\":\"test\",\"path\":\"/metadata/finalizers/$$index\",\"value\":\"kubefledged.io/purge\"},{\"op\":\"remove\",\"path\":\"/metadata/finalizers/$$index\"}]" </dev/null; \
	  done; \
	  $(KUBECTL) delete nodecaches --all; \
	fi
	$(KUBECTL) delete jobs -A -l app=kubefledged,kubefledged=kubefledged-image-manager
	$(KUBECTL) delete --ignore-not-found -n kube-fledged lease/kubefledged-controller.kubefledged.io

.PHONY: remove-kubefledged-and-operator
remove-kubefledged-and-operator: remove-kubefledged undeploy ## Remove everything, ImageCaches and CRDs too.
	$(KUSTOMIZE) build config/crd | $(DELETE)
	$(KUSTOMIZE) build config/operator-target | $(DELETE)

.PHONY: build-installer
build-installer: ## Write the CRDs and the operator into one file, dist/install.yaml.
	@mkdir -p dist
	$(KUSTOMIZE) build config/operator | $(WITH_IMAGES) > dist/install.yaml

include hack/olm.mk

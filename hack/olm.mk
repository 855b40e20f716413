# Bundles for OLM, catalogs of them, and the folder for OperatorHub.

##@ OLM

# The version of the next release: chart, bundle and catalog have it.
RELEASE_VERSION := $(shell cat VERSION)
PREVIOUS_VERSION := 0.1.0

OPERATOR_SDK = $$($(LOCALCLUSTER) program operator-sdk)
OPM = $$($(LOCALCLUSTER) program opm)

# For tests: make bundle BUNDLE_DIR=/tmp/b BUNDLE_VERSION=0.1.0 BUNDLE_IMAGES=/tmp/images.env
BUNDLE_DIR ?= bundle
BUNDLE_VERSION ?= $(RELEASE_VERSION)
BUNDLE_IMAGES ?= config/manifests/images.env
BUNDLE_REPOSITORY ?= $(REGISTRY)/kubefledged-operator-bundle
CATALOG_IMG ?= $(REGISTRY)/kubefledged-operator-catalog:v$(RELEASE_VERSION)
# One by one, oldest first. Earlier versions are as they were released.
RELEASED := operatorhub/kubefledged-operator
CATALOG_BUNDLES ?= $(RELEASED)/$(PREVIOUS_VERSION) bundle
CATALOG_DIR ?= catalog

.PHONY: release-digests
release-digests: ## Build the release images of this commit and write their digests for the bundle.
	@hack/release-digests.sh $(RELEASE_VERSION) config/manifests/images.env

.PHONY: bundle
bundle: $(LOCALCLUSTER) ## Write the bundle: BUNDLE_DIR=bundle BUNDLE_VERSION=0.2.0 BUNDLE_IMAGES=file.
	@KUSTOMIZE="$(KUSTOMIZE)" OPERATOR_SDK="$(OPERATOR_SDK)" hack/bundle.sh $(BUNDLE_DIR) $(BUNDLE_VERSION) $(BUNDLE_IMAGES)

# The command ends well in spite of warnings, which are told at level warning.
.PHONY: bundle-validate
bundle-validate: $(LOCALCLUSTER) ## Have operator-sdk judge the bundle; a warning is a failure.
	@output=$$("$(OPERATOR_SDK)" bundle validate $(BUNDLE_DIR) --select-optional suite=operatorframework 2>&1) \
	  || { echo "$$output"; exit 1; }; echo "$$output"; ! grep -q 'level=warning' <<< "$$output"

.PHONY: bundle-build
bundle-build: $(RELEASE_TOOL) ## Make the bundle's image in dist/images and print its digest.
	@$(RELEASE_TOOL) bundle --dir $(BUNDLE_DIR) --output dist/images/kubefledged-operator-bundle \
	  --reference $(BUNDLE_REPOSITORY):v$(BUNDLE_VERSION)

.PHONY: bundle-push
bundle-push: $(RELEASE_TOOL) ## Push the bundle's image to REGISTRY and print its digest.
	@$(RELEASE_TOOL) bundle --dir $(BUNDLE_DIR) --reference $(BUNDLE_REPOSITORY):v$(BUNDLE_VERSION) --push $(INSECURE)

.PHONY: catalog
catalog: $(LOCALCLUSTER) $(RELEASE_TOOL) ## Write template and catalog of CATALOG_BUNDLES into CATALOG_DIR.
	@mkdir -p $(CATALOG_DIR)/configs/kubefledged-operator
	@$(RELEASE_TOOL) catalog --opm "$(OPM)" --repository $(BUNDLE_REPOSITORY) --template catalog/template.yaml \
	  --write-template $(CATALOG_DIR)/template.yaml \
	  --output $(CATALOG_DIR)/configs/kubefledged-operator/catalog.yaml $(CATALOG_BUNDLES)
	@"$(OPM)" validate $(CATALOG_DIR)/configs

CATALOG_IMAGE = $(RELEASE_TOOL) image --file catalog.Dockerfile --context $(CATALOG_DIR) --reference $(CATALOG_IMG)

.PHONY: catalog-build
catalog-build: $(RELEASE_TOOL) ## Make the catalog's image in dist/images and print its digest.
	@$(CATALOG_IMAGE) --output dist/images/kubefledged-operator-catalog

.PHONY: catalog-push
catalog-push: $(RELEASE_TOOL) ## Push the catalog's image to REGISTRY and print its digest.
	@$(CATALOG_IMAGE) --push $(INSECURE)

.PHONY: operatorhub
operatorhub: ## Write bundle, catalog, and the folder for OperatorHub.
	@$(MAKE) bundle
	@$(MAKE) catalog
	@RELEASED=$(RELEASED) hack/operatorhub.sh $(RELEASE_VERSION) $(PREVIOUS_VERSION)

.PHONY: image-list
image-list: $(RELEASE_TOOL) ## Print every image of the release by digest, for mirrors.
	@sed -n 's/^[A-Z_]*_IMG=//p' $(BUNDLE_IMAGES)
	@for dir in $(CATALOG_BUNDLES); do $(RELEASE_TOOL) bundle --dir $$dir --reference $(BUNDLE_REPOSITORY); done
	@$(CATALOG_IMAGE)

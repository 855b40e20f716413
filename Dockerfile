# The images of KubeFledged, one stage each. `make images` builds them and adds
# the labels that all of them share.
#
# Each holds static programs, built beforehand by `make build`: a change
# becomes an image in a second, and there is no shell, no package manager and no
# base image to patch. No CA bundle either: the programs talk only to the API
# server, with the CA of their service account, and to the runtime's socket.
# Each is a single layer, since the helper's is pulled onto every node.

FROM scratch AS controller
ARG TARGETARCH
LABEL org.opencontainers.image.title="kubefledged-controller" \
      org.opencontainers.image.description="Keeps container images on the nodes that will need them"
COPY bin/linux_${TARGETARCH}/kubefledged-controller bin/linux_${TARGETARCH}/kubefledged-webhook-server /
USER 65532:65532
ENTRYPOINT ["/kubefledged-controller"]

FROM scratch AS cri-client
ARG TARGETARCH
LABEL org.opencontainers.image.title="kubefledged-cri-client" \
      org.opencontainers.image.description="The helper that the Jobs of KubeFledged run on nodes"
COPY bin/linux_${TARGETARCH}/kubefledged-cri-client /kubefledged-cri-client
USER 65532:65532
ENTRYPOINT ["/kubefledged-cri-client"]

FROM scratch AS operator
ARG TARGETARCH
LABEL org.opencontainers.image.title="kubefledged-operator" \
      org.opencontainers.image.description="Installs the image cache that a KubeFledged asks for"
COPY bin/linux_${TARGETARCH}/kubefledged-operator /kubefledged-operator
USER 65532:65532
ENTRYPOINT ["/kubefledged-operator"]

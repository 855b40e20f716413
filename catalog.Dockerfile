# The catalog's image: nothing but the rendered catalog. OLM has opm extract it
# (spec.grpcPodConfig.extractContent) and serve it, so it needs no program.
#   docker build -f catalog.Dockerfile catalog
FROM scratch
LABEL operators.operatorframework.io.index.configs.v1=/configs
COPY configs /configs

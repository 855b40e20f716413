module github.com/kubefledged/kubefledged-operator/test/cluster/programs

go 1.26.0

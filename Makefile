# `make` lists the targets. Everything they make lands in .venvs/, engine/, build/ and demo/ of this folder.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
VENVS := .venvs
REGISTRY := $(or $(IDRSTREAM_REGISTRY),ghcr.io/idrstream)
VERSION := $(shell sed -n "s/^ *version *= '\(.*\)'.*/\1/p" nextflow.config)
ENGINE := docker
TOOLS := acquire profiles deepprofiler cellpose volume

.PHONY: help setup tools engine demo demo-tissue demo-volume test test-containers test-cluster test-full lint schema locks images accuracy bench train-model train-watershed-model clean

help:         ## this list
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: tools  ## Nextflow and the tools' environments (5 GB; 11 GB with PyTorch: where there is a GPU, or with TORCH=yes)
	@./setup.sh deepprofiler volume

tools:        ## those of screen and tissue, without DeepProfiler's, which only --embedder deepprofiler needs (2.4 GB; 8 GB with PyTorch)
	@./setup.sh engine
	@./setup.sh acquire profiles cellpose

engine:       ## engine/nextflow alone; NXF_FROM=path, installer or maven takes that one
	@./setup.sh engine

demo: tools demo/screen ## the whole pipeline on a small artificial screen
	engine/nextflow run . -profile venv,test
	@echo 'One file of the demo is broken on purpose: its image failed, and the run went on. Look at results/multiqc_report.html'

demo/screen:  | tools
	rm -rf $@ $@.part && $(VENVS)/acquire/bin/python assets/demo/make_screen.py $@.part && mv $@.part $@

demo-tissue: tools demo/tissue ## workflow tissue on a small artificial slide
	engine/nextflow run . -profile venv,test_tissue --outdir results_tissue
	@echo 'Look at results_tissue/multiqc_report.html'

demo/tissue:  | tools
	rm -rf $@ $@.part && $(VENVS)/acquire/bin/python assets/demo/make_slide.py $@.part && mv $@.part $@

demo-volume: demo/volume ## workflow volume on two small artificial volumes
	@./setup.sh profiles
	engine/nextflow run . -profile venv,test_volume --outdir results_volume
	@echo 'Look at results_volume/multiqc_report.html'

demo/volume:
	@./setup.sh engine
	@./setup.sh volume
	rm -rf $@ $@.part && $(VENVS)/volume/bin/python assets/demo/make_volume.py $@.part && mv $@.part $@

TESTS := -m "not full"
TWO := -n 2 --dist loadfile
# Each test runs in the environment of what it tests; those of whole runs read tables, so they take that of the profiles.
test: setup   ## the tests, but for the long ones
	@./setup.sh tests
	$(VENVS)/acquire/bin/pytest tests/acquire $(TESTS) $(TWO)
	$(VENVS)/cellpose/bin/pytest tests/cellpose $(TESTS) $(TWO)
	$(VENVS)/deepprofiler/bin/pytest tests/deepprofiler $(TESTS)
	$(VENVS)/volume/bin/pytest tests/volume $(TESTS) $(TWO)
	$(VENVS)/profiles/bin/pytest tests/profiles $(TESTS) $(TWO)
	$(VENVS)/profiles/bin/pytest tests/pipeline $(TESTS) $(TWO) --no-loadscope-reorder --durations 20

test-containers: setup ## the images that are there: each command in its own; in test-full also whole runs
	@./setup.sh tests
	$(VENVS)/profiles/bin/pytest tests/containers $(TESTS)

test-cluster: setup ## runs on a Slurm of this machine alone, where its programs are installed (.ci/cluster installs them)
	@./setup.sh tests
	$(VENVS)/profiles/bin/pytest tests/pipeline/common/test_slurm.py

test-full: TESTS :=
test-full: test test-containers ## all tests

lint: setup   ## Python by ruff and ty, Nextflow by its linter, locks against their requirements.in
	@./setup.sh tests
	@./setup.sh jars
	$(VENVS)/uv/bin/ruff check .
	$(VENVS)/uv/bin/ruff format --check .
	$(VENVS)/uv/bin/ty check --python $(VENVS)/acquire
	NXF_FROM=maven engine/nextflow lint -o concise $(wildcard main.nf nextflow.config workflows modules conf)
	./setup.sh lock --check

locks:        ## every requirements.txt anew from its requirements.in
	./setup.sh lock

# What each argument means: containers/Dockerfile. BUILD_OPTIONS: what else the engine is to be told (--pull, --volume, ...).
images:       ## the container images; ENGINE=podman, TOOLS=acquire, BASE=..., CUDA=no, FIJI=yes
	for tool in $(TOOLS); do \
	    image=$(REGISTRY)/$$tool:$(VERSION) start=$$SECONDS; \
	    $(ENGINE) build -t $$image --build-arg TOOL=$$tool \
	        $(foreach name,BASE CUDA FIJI FIJI_ZIP,$(if $($(name)),--build-arg $(name)=$($(name)))) \
	        $(BUILD_OPTIONS) -f containers/Dockerfile containers; \
	    seconds=$$((SECONDS - start)); \
	    $(ENGINE) image inspect --format '{{.Size}}' $$image | awk '{ printf "'$$image': %.2f GB, '$$seconds' s\n", $$1 / 1e9 }'; \
	done

schema:       ## nextflow_schema.json anew from assets/params/
	$(VENVS)/acquire/bin/python assets/params/make_schema.py

train-model: tools ## the nuclei model that is shipped, trained anew and measured
	$(VENVS)/cellpose/bin/python benchmarks/nuclei_model.py train
	$(VENVS)/cellpose/bin/python benchmarks/nuclei_model.py measure

# Only the export needs the package onnx. Without its dependencies: it would bring another numpy than the environment's.
ONNX := onnx==1.23.2 ml_dtypes==0.6.0 protobuf==7.36.2
train-watershed-model: tools ## the network for deep watershed that is shipped, trained anew and measured
	$(VENVS)/cellpose/bin/python benchmarks/watershed_model.py train
	$(VENVS)/uv/bin/uv pip install --quiet --python $(VENVS)/cellpose/bin/python --no-deps --target build/onnx $(ONNX)
	PYTHONPATH=build/onnx $(VENVS)/cellpose/bin/python benchmarks/watershed_model.py export
	$(VENVS)/cellpose/bin/python benchmarks/watershed_model.py measure

accuracy: setup ## how right nuclei, flat-fields and features are (docs/screen/accuracy.md)
	@./setup.sh tests
	$(VENVS)/cellpose/bin/python benchmarks/accuracy/flatfield.py
	$(VENVS)/cellpose/bin/python benchmarks/accuracy/camera_offset.py
	if [[ -d $${IDRSTREAM_DATA:=../shared/data}/nuclei ]]; then \
	    $(VENVS)/cellpose/bin/python benchmarks/accuracy/nuclei.py; \
	    $(VENVS)/profiles/bin/python benchmarks/accuracy/examplehuman.py; \
	fi
	$(VENVS)/deepprofiler/bin/pytest tests/deepprofiler/test_torch.py -rP

bench: demo   ## where the demo's time went, by process
	python3 benchmarks/stages.py results

clean:        ## everything that make made
	rm -rf $(VENVS) build demo engine/.choice engine/.done engine/bin engine/jars

# procpool: what a developer types.  The build itself is CMakeLists.txt.

BUILD  ?= build
PREFIX ?= /usr/local
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
WERROR ?= ON
export BUILD DESTDIR

comma   := ,
quietly = tools/quietly $(BUILD)/logs/$(1).log
say     = @printf '== %s\n' "$(1)"

SANITIZED = -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-g -O1'

.NOTPARALLEL:
.DEFAULT_GOAL := build
.PHONY: build run test install uninstall abi analyze coverage doc deb test-deb bench bench-death bench-command soak resume-soak fuzz \
        kill-sweep kill-sample record-cost faults model model-full mutants \
        format check-format tidy help clean \
        deps-build deps-test deps-bench deps-analyze deps-coverage deps-deb deps-test-deb deps-doc test-gcc test-clang test-asan test-tsan

build: ## build libraries, command and examples in build/ (the default)
	$(call say,Build: libraries$(comma) command and examples in $(BUILD)/)
	@$(call quietly,configure) cmake -S . -B $(BUILD) -DPROCPOOL_WERROR=$(WERROR) \
	    -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@$(call quietly,build) cmake --build $(BUILD) -j $$(nproc)

run: deps-build build ## install what is missing, build, and run the main job
	$(call say,Main job: examples/main-job.sh)
	@sh examples/main-job.sh $(BUILD)

# Sanitizers first and the plain gcc build last, so that its report is what one sees at the end.
test: deps-test deps-analyze check-format analyze test-asan test-tsan test-clang tidy test-gcc ## install what is missing, build and run ALL tests

test-gcc: ## the tests with gcc, valgrind over the codec, includes, symbols, installed prefix
	$(call say,Tests: gcc)
	@tools/test-configuration gcc full -DCMAKE_C_COMPILER=gcc -DPROCPOOL_WERROR=ON

test-clang: ## the tests with clang, and the fuzz targets for some seconds
	$(call say,Tests: clang)
	@tools/test-configuration clang quiet -DCMAKE_C_COMPILER=clang -DPROCPOOL_WERROR=ON \
	    -DPROCPOOL_BUILD_FUZZ=ON

test-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(call say,Tests: gcc with address and undefined behaviour sanitizers)
	@tools/test-configuration asan quiet $(SANITIZED) '-DPROCPOOL_SANITIZE=address;undefined'

test-tsan: ## the tests under ThreadSanitizer
	$(call say,Tests: gcc with thread sanitizer)
	@tools/test-configuration tsan quiet $(SANITIZED) -DPROCPOOL_SANITIZE=thread \
	    -DPROCPOOL_BUILD_EXAMPLES=OFF

fuzz: ## each fuzz target for SECONDS (60)
	$(call say,Fuzz: $(or $(SECONDS),60) s for each target)
	@$(call quietly,fuzz-configure) cmake -S . -B $(BUILD)/fuzz -DCMAKE_C_COMPILER=clang \
	    -DPROCPOOL_BUILD_FUZZ=ON -DPROCPOOL_BUILD_TESTS=OFF -DPROCPOOL_BUILD_EXAMPLES=OFF
	@$(call quietly,fuzz-build) cmake --build $(BUILD)/fuzz -j $$(nproc) --target fuzz-programs
	@tests/fuzz/run $(BUILD)/fuzz $(or $(SECONDS),60)

kill-sweep: deps-test ## kill a worker and the fork server at every instruction: takes some hours
	$(call say,Kills: at every instruction boundary)
	@tests/kill/run.sh $(BUILD)/kill $(BUILD)/logs all

kill-sample: ## the same at 20000 boundaries, drawn with SEED
	$(call say,Kills: at 20000 instruction boundaries)
	@tests/kill/run.sh $(BUILD)/kill $(BUILD)/logs sample 20000 $(SEED)

faults: deps-test ## every system call fails with each of its errors: some minutes
	$(call say,Faults: every system call fails with each errno$(comma) once and for ever)
	@$(call quietly,faults-configure) cmake -S . -B $(BUILD)/gcc -DPROCPOOL_BUILD_TESTS=ON \
	    -DCMAKE_C_COMPILER=gcc -DPROCPOOL_WERROR=ON
	@$(call quietly,faults-build) cmake --build $(BUILD)/gcc -j $$(nproc) --target faults
	@cd $(BUILD)/gcc/tests/plugins && ../faults/faults every $(CURDIR)/tests/faults

mutants: deps-test ## build with each deliberate fault, or MUTANTS="NAME...", and see which test finds it
	$(call say,Mutants: each fault of tests/mutants is found by a test)
	@tests/mutants/run $(BUILD)/mutants $(or $(MUTANTS),all)

model: deps-test ## check the model of the protocol, and that its deliberate faults are found
	$(call say,Model: src/shm/mailbox.pml)
	@sh tools/check-model $(BUILD)/model/quick quick
	@sh tools/check-model $(BUILD)/model/faults faults

model-full: deps-test ## the same in larger configurations: some minutes
	$(call say,Model: src/shm/mailbox.pml in larger configurations)
	@sh tools/check-model $(BUILD)/model/full full

record-cost: deps-test ## write what each part of a task costs now, in instructions, to tests/cost/limits.txt
	$(call say,Cost: recording)
	@$(call quietly,cost-configure) cmake -S . -B $(BUILD)/gcc -DPROCPOOL_BUILD_TESTS=ON \
	    -DCMAKE_C_COMPILER=gcc -DPROCPOOL_WERROR=ON
	@$(call quietly,cost-build) cmake --build $(BUILD)/gcc -j $$(nproc) --target cost-cost
	@sh tests/cost/check.sh $(BUILD)/gcc/tests/cost/cost $(BUILD)/gcc/tests/cost record

install: build ## install to PREFIX (/usr/local), below DESTDIR
	$(call say,Install: $(DESTDIR)$(PREFIX))
	@$(call quietly,install) cmake --install $(BUILD) --prefix $(PREFIX)
	@if [ -z "$$DESTDIR" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

uninstall: ## remove what make install has installed last
	$(call say,Uninstall: what was installed from $(BUILD)/)
	@tools/uninstall $(BUILD)

abi: deps-test ## record the interface of the library in abi/, after a change that breaks no program
	$(call say,Interface: recording it in abi/)
	@$(call quietly,abi-configure) cmake -S . -B $(BUILD)/gcc -DCMAKE_C_COMPILER=gcc \
	    -DPROCPOOL_BUILD_TESTS=ON -DPROCPOOL_WERROR=$(WERROR)
	@$(call quietly,abi-build) cmake --build $(BUILD)/gcc -j $$(nproc) --target procpool
	@tools/record-abi $(BUILD)/gcc/libprocpool.so abi/$$(uname -m)/libprocpool.so.0.abixml

doc: deps-doc ## the reference of the interface, by Doxygen: build/doc/html; a warning is an error
	$(call say,Reference: $(BUILD)/doc/html)
	@rm -rf $(BUILD)/doc && mkdir -p $(BUILD)/doc
	@PROCPOOL_DOC=$(BUILD)/doc doxygen Doxyfile

analyze: deps-analyze ## cppcheck, gcc -fanalyzer and clang's analyzer over src/
	$(call say,Static analysis of src/)
	@tools/analyze $(BUILD)/logs/analyze

coverage: deps-coverage ## lines and branches of src/ that the tests execute: some minutes
	$(call say,Coverage of src/)
	@tools/coverage $(BUILD)

deb: deps-deb ## build the Debian packages, and check them with lintian: build/deb
	$(call say,Debian packages)
	@mkdir -p $(BUILD)/logs
	@tools/build-deb $(BUILD)

test-deb: deps-test-deb deb ## install the Debian packages into a fresh root, and run debian/tests there
	$(call say,Debian packages in a fresh root)
	@tools/test-deb $(BUILD)

bench: deps-bench build ## install the peers, run all benchmarks, table and plots in docs/bench/; QUICK=1: 2 min
	$(call say,Benchmarks)
	@$(call quietly,bench) cmake --build $(BUILD) -j $$(nproc) --target bench-programs
	@tools/install-workerpool $(BUILD)/npm
	@$(PYTHON) -B bench/run.py $(BUILD) $(if $(QUICK),--quick)

bench-death: build ## the time from a worker's SIGKILL to its task's callback
	$(call say,Benchmark: death to outcome)
	@$(call quietly,bench-death) cmake --build $(BUILD) -j $$(nproc) --target bench-death
	@$(BUILD)/bench/death

bench-command: deps-bench build ## procpool run beside xargs and GNU parallel, by hyperfine; QUICK=1: less of it
	$(call say,Benchmark: procpool run)
	@$(call quietly,bench) cmake --build $(BUILD) -j $$(nproc) --target bench-programs
	@$(PYTHON) -B bench/command.py $(BUILD) $(if $(QUICK),--quick)

soak: deps-test ## random chaos for SECONDS (60), by SEED (the time)
	$(call say,Soak: random chaos for $(or $(SECONDS),60) seconds)
	@$(call quietly,soak-configure) cmake -S . -B $(BUILD)/soak -DPROCPOOL_BUILD_TESTS=ON -DPROCPOOL_WERROR=$(WERROR)
	@$(call quietly,soak-build) cmake --build $(BUILD)/soak -j $$(nproc) --target soak
	@$(BUILD)/soak/tests/soak/soak --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

resume-soak: build ## kill -9 of procpool run at random moments, then --resume: ROUNDS (100), by SEED (the time)
	$(call say,Soak: kill -9 and resume$(comma) $(or $(ROUNDS),100) rounds)
	@sh tests/command/resume.sh $(BUILD) $(or $(ROUNDS),100) $(SEED)

format: ## lay the sources out by .clang-format
	$(call say,Format: rewriting the sources)
	@tools/format

check-format: ## is everything laid out by .clang-format?
	$(call say,Format: checking the sources)
	@tools/format --check

tidy: ## clang-tidy over src/
	$(call say,Tidy: clang-tidy over src/)
	@$(call quietly,tidy-configure) cmake -S . -B $(BUILD)/clang -DCMAKE_C_COMPILER=clang \
	    -DPROCPOOL_BUILD_TESTS=ON -DPROCPOOL_WERROR=ON
	@$(call quietly,tidy) tools/tidy $(BUILD)/clang

deps-build:
	$(call say,Packages that the build needs)
	@tools/install-deps build

deps-test:
	$(call say,Packages that the tests need)
	@tools/install-deps test

deps-bench:
	$(call say,Packages that the benchmarks need)
	@tools/install-deps bench

deps-deb:
	$(call say,Packages that Debian packages are made with)
	@tools/install-deps deb

deps-test-deb:
	$(call say,Packages that Debian packages are tested with)
	@tools/install-deps test-deb

deps-analyze:
	$(call say,Packages that the analysis is made with)
	@tools/install-deps analyze

deps-coverage:
	$(call say,Packages that the coverage is counted with)
	@tools/install-deps coverage

deps-doc:
	$(call say,Packages that the reference is made with)
	@tools/install-deps doc

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

clean: ## remove build/
	$(call say,Clean: removing $(BUILD)/)
	@rm -rf $(BUILD)

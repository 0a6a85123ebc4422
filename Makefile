# drover's make targets. README.md names the two that matter first: test, demo.

GO      ?= go
LAB     := bin/drover-lab
TESTSUM := $(GO) tool gotestsum --format pkgname
# One seed a day, printed with every run; a failure is repeated with SEED=….
SEED    ?= $(shell date +%Y%m%d)
# The lab suites make real machines: they need root on Linux.
CAN_LAB := $(shell [ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ] && echo yes)

.PHONY: help build test test-short lab-test soak bench lab demo demo-down lint golden fuzz cover clean tools

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

build: ## build the binaries into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

tools: # what the tests need of this machine, where it can be installed
	@.ci/tools

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l cmd examples inventory manifests provision); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

test-short: tools build lint ## unit tests and scripts of the real binaries, under a minute
	$(GO) test -race -short ./...

# Unit tests talk to real components where the lab has built them, so that comes
# first. What was skipped, and why, is in the summary at the end.
test: tools build lint ## everything: unit tests, scripts, and as root on Linux the lab suites
ifeq ($(CAN_LAB),yes)
	$(LAB) components build
endif
	DROVER=$(CURDIR)/bin/drover $(TESTSUM) -- -race -timeout 30m $$($(GO) list ./... | grep -v /labtest$$)
ifeq ($(CAN_LAB),yes)
	$(MAKE) lab-test
else
	@echo "left out: the lab suites (real machines), which need root on Linux"
endif

# The lab first: drover is only worth trying on a lab that keeps its promises.
SUITES  := ./cmd/drover-lab/labtest ./cmd/drover/labtest
LAB_ENV  = DROVER_LAB=$(CURDIR)/$(LAB) DROVER=$(CURDIR)/bin/drover DROVER_SEED=$(SEED)

lab-test: build ## the lab suites alone
	@echo "seed $(SEED)"
	$(LAB_ENV) $(GO) test -count=1 -p 1 -v -timeout 70m $(SUITES)

soak: build ## the lab suites with full counts, a simulated fleet disturbed at every operation, and many sets of pods for the real kube-scheduler
	@echo "seed $(SEED)"
	DROVER_SOAK=1 $(GO) test -count=1 -v -timeout 120m ./provision/internal/placement
	DROVER=$(CURDIR)/bin/drover DROVER_SOAK=1 $(GO) test -count=1 -v -timeout 120m -run Disturbed ./cmd/drover/fleetbench
	$(LAB_ENV) DROVER_SOAK=1 $(GO) test -count=1 -p 1 -v -timeout 120m $(SUITES)

bench: build ## figures: simulated fleets of a thousand hosts, capacity of five thousand, real sshds, Ansible's time beside drover's; how long labs and clusters take to come up, by phase, what they use, and kubeadm's time beside drover's
	DROVER=$(CURDIR)/bin/drover $(GO) test -count=1 -run '^$$' -bench . -benchtime 1x -timeout 60m ./cmd/drover/fleetbench
	$(GO) test -count=1 -run '^$$' -bench . -benchtime 3x -timeout 60m ./provision/internal/capacity
	$(LAB_ENV) $(GO) test -count=1 -run '^$$' -bench . -benchtime 3x -timeout 60m ./cmd/drover-lab/labtest
	$(LAB_ENV) $(GO) test -count=1 -run '^$$' -bench . -benchtime 1x -timeout 60m ./cmd/drover/labtest

lab: build ## bring up the example lab
	$(LAB) up examples/lab

demo: build ## see the main job: sets up all it needs and shows the result
	$(LAB) up examples/lab
	bin/drover -i examples/lab artifacts lock
	bin/drover -i examples/lab apply --auto-approve
	bin/drover -i examples/lab plan
	bin/drover -i examples/lab status
	$(LAB) --lab lab router f5-a show ip route bgp
	@echo; echo "Look around:   bin/drover-lab status; bin/drover -i examples/lab kubeconfig"
	@echo "Take it down:  make demo-down"

demo-down: ## take the demo down
	$(LAB) --lab lab down

golden: ## rewrite golden files from what is rendered now
	for p in $$(grep -rl --include=*_test.go "\"update\"" inventory manifests provision cmd | xargs -n1 dirname | sort -u); do $(GO) test ./$$p -update || exit 1; done

fuzz: ## fuzz the parsers, 30 s each
	$(GO) test ./inventory -run '^$$' -fuzz FuzzLoad -fuzztime 30s
	$(GO) test ./provision/plan -run '^$$' -fuzz FuzzDecode -fuzztime 30s

cover: ## test coverage of the unit tests
	$(GO) test -short -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out | tail -1

clean: ## remove what was built here; labs and their cache stay
	rm -rf bin

# The project's commands. Each does its own set-up; `make help` lists them.

CARGO := cargo
# In CI the lock file is law; at home a new crate in strategies/ may add itself to it.
LOCKED := $(if $(CI),--locked)
TARGET := target
VENV := $(TARGET)/venv
# Recorded candles, which are not part of the project.
PARITY_DIR ?= ../shared/parity
FUZZ_SECONDS ?= 1800
UPLOADS ?= 200
STORMS ?= 20
# The crates of the host.
HOST := -p ta-bot -p ta-bot-api -p ta-bot-backtest -p ta-bot-core -p ta-bot-drivers -p ta-bot-engine -p ta-bot-wasm
# Every folder of strategies/ is a built-in strategy, under the same name.
STRATEGIES := $(sort $(notdir $(patsubst %/,%,$(wildcard strategies/*/))))
NATIVE := $(HOST) -p ta-bot-sdk -p ta-bot-example-donchian -p ta-bot-example-rsi -p ta-bot-example-momentum \
	$(addprefix -p ta-bot-strategy-,$(STRATEGIES)) -p ta-bot-tests -p ta-bot-test-servers -p ta-bot-fuzz
export VENV := $(abspath $(VENV))
unexport MAKEFLAGS MAKELEVEL

.PHONY: help run build check strategies guests test test-setup test-toolchains upgrade-drill storm parity bench fuzz docs docs-candles routes lint sbom clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# The simulation keeps its made-up candles out of ./data, where real ones are.
run: export DATA_DIR ?= data/simulated
# A line for every candle would hide the signals.
run: export LOG_LEVEL ?= info,ta_bot_engine::pipeline::analysis=warn
run: strategies ## build the service for one machine and run it on a simulated market
	@$(CARGO) build $(LOCKED) --profile local -p ta-bot --no-default-features
	@for file in examples/candles/*.csv; do \
		series=$$(basename $$file .csv); \
		$(TARGET)/local/ta-bot candles import $$file --symbol $${series%_*} --timeframe $${series#*_} >/dev/null || exit 1; \
	done
	@exec $(TARGET)/local/ta-bot serve --simulate

# Which commit a binary is of: /health and a metric say it. An image has no history, so its build is told.
build: export TA_BOT_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
build: export TA_BOT_BUILD_DATE ?= $(shell git show --no-patch --format=%cI HEAD 2>/dev/null)
build: strategies ## build the service with all servers, and the built-in strategies
	@$(CARGO) build $(LOCKED) --release -p ta-bot

# A strategy that is gone from the source must not stay: a cache of builds would bring it into every image.
strategies: ## build the built-in strategies into target/strategies
	@sh scripts/need-target.sh wasm32-unknown-unknown
	@$(CARGO) build $(LOCKED) --profile guest --target wasm32-unknown-unknown $(addprefix -p ta-bot-strategy-,$(STRATEGIES))
	@mkdir -p $(TARGET)/strategies
	@for file in $(TARGET)/strategies/*.wasm; do \
		[ -d "strategies/$$(basename "$$file" .wasm)" ] || rm -f $$file || exit 1; \
	done
	@for name in $(STRATEGIES); do \
		cp $(TARGET)/wasm32-unknown-unknown/guest/$$name.wasm $(TARGET)/strategies/$$name.wasm || exit 1; \
	done

check: strategies ## the quick loop: formatting, warnings and unit tests of the host
	@$(CARGO) fmt --all --check
	@sh scripts/check-comments.sh
	@$(CARGO) clippy --quiet $(LOCKED) $(HOST) --all-targets -- -D warnings
	@$(CARGO) test --quiet $(LOCKED) $(HOST) --lib

test: test-setup guests ## run every test
	@$(CARGO) test $(LOCKED) --no-fail-fast $(NATIVE)
	@$(CARGO) test $(LOCKED) --profile plain --no-default-features -p ta-bot --lib

# The older version is built in a folder of its own, since both are needed at once.
upgrade-drill: strategies test-setup ## upgrade from FROM, a commit, and go back, while the market goes on
	@sh scripts/upgrade-drill.sh "$(FROM)" $(TARGET)

# The first STORMS seeds, in each way to elect a leader that STORM_ELECTION names, or in all.
storm: strategies test-setup ## storms of faults over replicas, STORMS of them for each way to elect a leader
	@STORM_COUNT=$(STORMS) $(CARGO) test $(LOCKED) $(NATIVE) --test replicas storm -- --nocapture

parity: strategies ## compare the built-in strategies with the recorded answers in PARITY_DIR
	@PARITY_DIR='$(PARITY_DIR)' $(CARGO) test $(LOCKED) $(NATIVE) --test parity -- --nocapture

# Each of them fetches packages or builds for minutes.
test-toolchains: strategies test-setup ## what authors do, from an empty folder to a signal, in every language
	@$(CARGO) build $(LOCKED) $(NATIVE) --bin ta-bot
	@$(CARGO) test $(LOCKED) $(NATIVE) --test cli authoring -- --ignored --nocapture --test-threads=1

test-setup: ## install what the tests need besides the Rust toolchain
	@sh scripts/test-setup.sh

guests: strategies test-setup ## build the examples in every language and the hostile guests into target/components
	@sh scripts/build-guests.sh $(TARGET)/components

bench: build guests ## measure; ratios of one run
	@$(CARGO) bench $(LOCKED) -p ta-bot-tests

fuzz: strategies test-setup ## look for bytes that break modules or other inputs, FUZZ_SECONDS in each of nine ways; kill during UPLOADS
	@sh scripts/fuzz.sh $(TARGET) $(FUZZ_SECONDS)
	@$(CARGO) build $(LOCKED) $(NATIVE) --bin ta-bot
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test $(LOCKED) $(NATIVE) --test fuzz_inputs -- --nocapture --test-threads=1
	@UPLOADS=$(UPLOADS) $(CARGO) test $(LOCKED) $(NATIVE) --test fuzz_modules killed -- --nocapture

# Which candles: docs/strategies/candles.txt, which the test that the pages are current reads as well.
routes: ## write docs/routes.md
	@$(CARGO) run --quiet $(LOCKED) -p ta-bot-api --example routes >docs/routes.md.new && mv docs/routes.md.new docs/routes.md

docs: docs-candles build routes ## write docs/routes.md, and the pages of docs/strategies on the recorded candles of PARITY_DIR
	@$(TARGET)/release/ta-bot strategies docs --output docs/strategies --sources strategies \
		--strategies-dir $(TARGET)/strategies $(addprefix $(PARITY_DIR)/candles/,$(shell cat docs/strategies/candles.txt))

docs-candles:
	@test -d '$(PARITY_DIR)/candles' || { echo "there is no folder $(PARITY_DIR)/candles: set PARITY_DIR" >&2; exit 1; }

lint: test-setup ## check formatting, comments, warnings, documentation and dependencies
	@$(CARGO) fmt --all --check
	@sh scripts/check-comments.sh
	@$(CARGO) clippy $(LOCKED) $(NATIVE) --all-targets -- -D warnings
	@$(CARGO) clippy $(LOCKED) -p ta-bot --no-default-features -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(LOCKED) --no-deps $(HOST) -p ta-bot-sdk
	@PATH='$(VENV)/bin:'"$$PATH" $(CARGO) deny --log-level error check bans licenses sources

sbom: ## write target/sbom.json: what the binary is made of, as CycloneDX
	@$(CARGO) metadata $(LOCKED) --format-version 1 --filter-platform x86_64-unknown-linux-gnu | \
		python3 scripts/sbom.py Cargo.lock >$(TARGET)/sbom.json.new && mv $(TARGET)/sbom.json.new $(TARGET)/sbom.json

clean: ## remove everything that was built
	@$(CARGO) clean

# make demo        builds and runs the main job on the embedded store (FOR=20: stops by itself after 20 s)
# make test        builds and passes all tests            make check   the short form, before each commit
# make fuzz soak bench   the long ones                    make build   the program, in build/release
# make format      formats the C sources                  make clean

FOR ?=
MINUTES ?= 10

.PHONY: build demo test check fuzz soak bench format clean setup console

setup:
	@tools/setup

console: setup
	@tools/build console

build: setup
	@tools/build release

demo: build
	@build/release/crossdock demo $(if $(FOR),--for $(FOR))

test: setup
	@tools/test all

check: setup
	@tools/test check

fuzz: setup
	@tools/test fuzz $(MINUTES)

soak: setup
	@tools/test soak $(MINUTES)

bench: setup
	@bench/run --write

format:
	@find src fuzz tests bench -name '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build console/dist

package cost

//go:generate ../../../bin/tools/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -tags linux -output-stem meter meter ../bpf/cost.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -fno-strict-aliasing -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu

# OpenBLAS, for the makefiles that link it: the serial build, statically. The shared library may be any variant, and the
# threaded variants start threads in the backend.
BLAS_ARCHIVE ?= $(firstword $(wildcard /usr/lib/*/openblas-serial/libopenblas.a))

# Its archive has kernels for twenty kinds of x86-64 CPU, each over a megabyte; where it has, openblas.ld leaves out those
# that others stand in for.
BLAS_LINK = $(if $(shell ar t $(BLAS_ARCHIVE) 2>/dev/null | grep -x setparam_PRESCOTT.o),src/engine/kernels/openblas.ld) \
	$(BLAS_ARCHIVE)

# Dockerfile - PostgreSQL 15 with lmtext. One stage builds the Debian package, the other installs it.
#
#   docker build -t lmtext .
#   docker run --shm-size=1g -e POSTGRES_PASSWORD=… -v …/models:/srv/models:ro -p 127.0.0.1:5432:5432 lmtext
#
# Models are in shared memory, of which a container has 64 MB unless --shm-size says more. The part package of
# scripts/test.sh runs these lines in empty Debian systems.
FROM debian:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    build-essential debhelper libopenblas-serial-dev postgresql-server-dev-all
COPY . /src/lmtext
RUN cd /src/lmtext && dpkg-buildpackage -us -uc -b

FROM postgres:15-bookworm
COPY --from=build /src/postgresql-15-lmtext_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/postgresql-15-lmtext_*.deb && \
    rm -rf /tmp/*.deb /var/lib/apt/lists/*

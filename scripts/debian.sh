# To be read by the other scripts: Debian's packages, where we may install them.

say() { printf '%s\n' "$*" >&2; }

may() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

debian() { # packages
    if may; then
        say "installing $*"
        as_root apt-get update -qq >/dev/null && as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return 0
    fi
    return 1
}

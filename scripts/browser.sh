#!/bin/sh
# The browser in which the tests open pages, where we may install it. Without it those tests are skipped, and say so.
set -eu

. "$(dirname "$0")/debian.sh"

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && debian chromium; then exit 0; fi
say "There is no Chromium, and we may not install it: tests of pages will be skipped. To have them:"
say "    sudo apt-get install -y --no-install-recommends chromium"

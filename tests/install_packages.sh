#!/bin/sh
# Installs the Debian packages that some tests need, where it may: as root, or with a sudo that
# asks no password. What can't be installed is named, and never fails the run by itself: the tests
# that need it are skipped with the reason, or fail when CI=true (tests/support/programs.py).
set -u

missing=""

# need PACKAGE PROGRAM-OR-PATH...: the package is missing when none of the others is there.
need() {
    package=$1
    shift
    for wanted in "$@"; do
        # The shell has expanded any pattern; one that matches nothing stands for itself.
        command -v "$wanted" >/dev/null 2>&1 && return
        case $wanted in /*) [ -e "$wanted" ] && return ;; esac
    done
    missing="$missing $package"
}

if ! command -v apt-get >/dev/null 2>&1; then
    echo "test packages: this isn't Debian (no apt-get); tests that need other programs look for them"
    exit 0
fi

need curl curl
need openssl openssl
need strongswan-pki pki
need libstrongswan-standard-plugins /usr/lib/ipsec/plugins/libstrongswan-openssl.so # EC keys
need chromium chromium
need postgresql /usr/lib/postgresql/*/bin/initdb
need default-jdk-headless javac
need libbcprov-java /usr/share/java/bcprov.jar
need libbcpkix-java /usr/share/java/bcpkix.jar
need libbcutil-java /usr/share/java/bcutil.jar

[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    echo "test packages: can't install$missing (neither root nor sudo without a password);" \
        "the tests that need them are skipped"
    exit 0
fi

echo "test packages: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    # shellcheck disable=SC2086 # words of our own, to be split
    $as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1
}
$as_root apt-get update -qq >>"$log" 2>&1 || true # what is cached may do
# shellcheck disable=SC2086
if ! install $missing; then
    for package in $missing; do # one that isn't to be had must not keep the others away
        install "$package" || echo "test packages: can't install $package: $(grep '^E:' "$log" | tail -1)"
    done
fi
exit 0

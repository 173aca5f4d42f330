#!/bin/sh
# Installs the Debian packages that some tests need, as root or with a sudo that asks for no
# password. It names the packages that it cannot install, and never fails. Tests that need them are
# skipped with the reason, or fail with CI=true (tests/support/programs.py).
set -u

missing=""

# need PACKAGE PROGRAM-OR-PATH...: the package is missing if none of the programs and paths exists.
need() {
    package=$1
    shift
    for wanted in "$@"; do
        # The shell has expanded every pattern. One that matches nothing is left as it is.
        command -v "$wanted" >/dev/null 2>&1 && return
        case $wanted in /*) [ -e "$wanted" ] && return ;; esac
    done
    missing="$missing $package"
}

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Test packages: this is not Debian (no apt-get). Tests look for the programs that they need."
    exit 0
fi

need curl curl
need openssl openssl
need strongswan-pki pki
need libstrongswan-standard-plugins /usr/lib/ipsec/plugins/libstrongswan-openssl.so # EC keys
need chromium chromium
need haproxy haproxy /usr/sbin/haproxy
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
    echo "Test packages: cannot install$missing (neither root nor sudo without a password)." \
        "The tests that need them are skipped."
    exit 0
fi

echo "Test packages: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    # shellcheck disable=SC2086 # $missing is a list of words
    $as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1
}
$as_root apt-get update -qq >>"$log" 2>&1 || true # the lists of an earlier update may be enough
# shellcheck disable=SC2086
if ! install $missing; then
    for package in $missing; do # a package that does not exist must not prevent the others
        install "$package" || echo "Test packages: cannot install $package: $(grep '^E:' "$log" | tail -1)"
    done
fi
exit 0

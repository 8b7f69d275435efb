#!/bin/sh
# An installed prefix is whole and may be moved: programs in C11, C++17 and C++20 are built against
# it by pkg-config and by find_package, with the shared and the static library, and run a task; so are
# all examples.  What was installed below a DESTDIR can be removed again.
#
#   check-install.sh CMAKE BUILD-FOLDER SOURCES-OF-THIS-TEST CC
set -eu
cmake=$1 build=$2 sources=$3 cc=$4
root=$(cd "$sources/../.." && pwd)
unset DESTDIR CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH MAKEFLAGS MFLAGS MAKELEVEL
case $cc in
*clang*) cxx=$(printf '%s' "$cc" | sed 's/clang/clang++/') ;;
*)       cxx=$(printf '%s' "$cc" | sed -e 's/gcc/g++/' -e 's,/cc$,/c++,') ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

# --------------------------------------------------------------- below a folder, and away

DESTDIR="$work/dest" "$cmake" --install "$build" --prefix /opt/pool >"$work/install.log" 2>&1 ||
    { cat "$work/install.log"; fail "cmake --install with DESTDIR"; }
[ -f "$work/dest/opt/pool/include/procpool.h" ] || fail "no header below DESTDIR"
grep -rlF "$work" "$work/dest" && fail "these files name DESTDIR"
DESTDIR="$work/dest" "$root/tools/uninstall" "$build" >"$work/install.log" ||
    { cat "$work/install.log"; fail "tools/uninstall"; }
left=$(find "$work/dest" -not -type d -o -name procpool)
[ -z "$left" ] || fail "tools/uninstall left behind: $left"

# ------------------------------------------------------------ install, and move the prefix

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" 2>&1 ||
    { cat "$work/install.log"; fail "cmake --install"; }
mv "$work/first" "$work/prefix"
prefix=$work/prefix
library=$(find "$prefix" -name libprocpool.so)
libdir=$(dirname "$library")

[ -f "$prefix/include/procpool.h" ] || fail "no include/procpool.h"
[ -f "$libdir/libprocpool.a" ] || fail "no libprocpool.a"
[ -f "$libdir/pkgconfig/procpool.pc" ] || fail "no procpool.pc"
for page in "$build"/man/man*/*; do
    section=$(basename "$(dirname "$page")")
    [ -f "$prefix/share/man/$section/$(basename "$page")" ] || fail "the manual lacks $page"
done
readelf -d "$library" | grep -q 'SONAME.*\[libprocpool\.so\.0\]' || fail "SONAME"
readelf -d "$library" | grep -qE 'RPATH|RUNPATH' && fail "the library has a run path"
grep -rlF -e "$build" -e "$work/first" "$libdir/pkgconfig" "$libdir/cmake" &&
    fail "these files name the build folder or the first prefix"

if [ -x "$build/procpool" ]; then
    for file in bash-completion/completions/procpool zsh/site-functions/_procpool \
        fish/vendor_completions.d/procpool.fish; do
        [ -f "$prefix/share/$file" ] || fail "no share/$file"
    done
    for command in "$build/procpool" "$prefix/bin/procpool"; do
        found=$(ldd "$command" | sed -n 's/.*libprocpool\.so\.0 => \([^ ]*\) .*/\1/p')
        case $found in
        "$(dirname "$command")"/* | "$prefix"/*) ;;
        *) fail "$command takes libprocpool from '$found'" ;;
        esac
        "$command" --version >"$work/out" 2>&1 || { cat "$work/out"; fail "$command --version"; }
    done
fi

# --------------------------------------------------------------------- programs against it

export PKG_CONFIG_PATH="$libdir/pkgconfig"
flags=$(pkg-config --cflags procpool)
case $flags in *"$work/first"*) fail "pkg-config still names the first prefix" ;; esac

check() { # what-it-is program shared|static
    needed=$(readelf -d "$2" | grep -c 'NEEDED.*libprocpool' || true)
    case $3 in
    shared) [ "$needed" -eq 1 ] || fail "$1: not linked with the shared library" ;;
    static) [ "$needed" -eq 0 ] || fail "$1: not linked with the static library" ;;
    esac
    LD_LIBRARY_PATH=$libdir timeout 60 "$2" >"$work/out" 2>&1 || { cat "$work/out"; fail "$1"; }
    echo "$1: $(tail -n 1 "$work/out")"
}

by_pkg_config() { # shared|static, libraries as pkg-config gives them
    kind=$1
    shift
    # shellcheck disable=SC2086 # flags are several words
    {
        "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror $flags "$sources/smoke.c" \
            -o "$work/c11-$kind" "$@"
        "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror $flags "$sources/smoke.cpp" \
            -o "$work/c++17-$kind" "$@"
        "$cxx" -std=c++20 -Wall -Wextra -Wpedantic -Werror $flags "$sources/smoke.cpp" -o "$work/c++20-$kind" "$@"
    }
    for language in c11 c++17 c++20; do
        check "pkg-config $language $kind" "$work/$language-$kind" "$kind"
    done
}

# The examples by the line at their top, and what they print.
examples() { # shared|static, libraries as pkg-config gives them
    kind=$1
    mkdir -p "$work/$kind/examples"
    shift
    for source in "$root"/examples/*.c; do
        name=$(basename "$source" .c)
        more=
        case $name in plugin_*) continue ;; esac
        if grep -q '<uv.h>' "$source"; then
            pkg-config --exists libuv || continue
            more=$(pkg-config --cflags --libs libuv)
        fi
        # shellcheck disable=SC2086
        "$cc" -Wall -Wextra -Werror -O1 -rdynamic $flags "$source" -o "$work/$kind/examples/$name" \
            "$@" $more
        LD_LIBRARY_PATH=$libdir sh "$root/tests/examples/check.sh" "$work/$kind" "$name" ||
            fail "example $name, $kind"
    done
    echo "examples $kind: $(ls "$work/$kind/examples" | wc -l)"
}

# shellcheck disable=SC2046
by_pkg_config shared $(pkg-config --libs procpool)
# shellcheck disable=SC2046
examples shared $(pkg-config --libs procpool)

"$cmake" -S "$sources/consumer" -B "$work/consumer" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$prefix" -Dprocpool_sources="$sources" \
    -Dprocpool_examples="$sources/../../examples" >"$work/cmake.log" 2>&1 &&
    "$cmake" --build "$work/consumer" >>"$work/cmake.log" 2>&1 ||
    { cat "$work/cmake.log"; fail "find_package"; }
check "find_package shared" "$work/consumer/smoke-shared" shared
check "find_package static" "$work/consumer/smoke-static" static
for example in hello keywords class map; do
    "$work/consumer/$example" >"$work/example.out" 2>&1 ||
        { cat "$work/example.out"; fail "find_package: examples/$example.c"; }
done

readelf -SW "$libdir/libprocpool.a" | grep -q 'gnu\.lto' &&
    fail "the static library holds what one version of gcc alone can read"

# With the shared library gone -lprocpool is the static one.
mkdir "$work/aside"
mv "$libdir"/libprocpool.so* "$work/aside"
# shellcheck disable=SC2046
by_pkg_config static $(pkg-config --static --libs procpool)
# shellcheck disable=SC2046
examples static $(pkg-config --static --libs procpool)

# ... and a program without any shared library.
# shellcheck disable=SC2046,SC2086
"$cc" -std=c11 -Wall -Wextra -Werror -static $flags "$sources/raises.c" -o "$work/raises" \
    $(pkg-config --static --libs procpool) 2>"$work/link.log" || { cat "$work/link.log"; fail "cc -static"; }
timeout 60 "$work/raises" >"$work/out" 2>&1 || { cat "$work/out"; fail "a program linked statically"; }
echo "static program: $(cat "$work/out")"

#!/bin/sh
# What the documents name is there: files, functions of the interface and of the source, make targets,
# and the links from one to another.
#
#   check-documents.sh SOURCE-FOLDER
set -eu
cd "$1"
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find include src tests tools cmake examples -name '*.[ch]' -o -name '*.cpp' | xargs cat |
    grep -oE '\b(pp|PP)_[A-Za-z0-9_]+' | sort -u >"$work/names"

look_at() {
    document=$1
    folder=$(dirname "$document")
    # `code` in one line, without that of indented or fenced blocks
    sed -e '/^```/,/^```/d' -e '/^    /d' "$document" | grep -oE '`[^`]+`' | tr -d '`' >"$work/code" || true

    grep -oE '^make [a-z-]+' "$work/code" | sort -u | while read -r make target; do
        grep -q "^$target:" Makefile || echo "$document: there is no '$make $target'"
    done
    grep -E '^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+/?$' "$work/code" | sort -u | while read -r path; do
        for at in . src docs tests; do
            [ -e "$at/$path" ] && continue 2
        done
        case $path in
        build/* | process/*) ;; # made by a build; names of tests
        *) echo "$document: there is no file '$path'" ;;
        esac
    done
    grep -oE '\b(pp|PP)_[A-Za-z0-9_]+' "$document" | sort -u | comm -23 - "$work/names" |
        sed "s,^,$document: nothing is called ,"
    grep -oE '\]\([^)#:]+\)' "$document" | tr -d '])(' | while read -r link; do
        [ -e "$folder/$link" ] || echo "$document: the link '$link' leads nowhere"
    done
}

for document in README.md CONTRIBUTING.md SECURITY.md examples/README.md \
    docs/tour.md docs/faq.md docs/porting-from-dirac.md docs/decisions/*.md; do
    look_at "$document"
done >"$work/wrong"
if [ -s "$work/wrong" ]; then
    cat "$work/wrong"
    exit 1
fi

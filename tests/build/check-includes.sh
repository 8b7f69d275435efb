#!/bin/sh
# Includes point downward only: base <- shm <- codec <- task <- { pool, worker, supervise }, and
# the command sees the public header alone.
#
#   check-includes.sh SRC-FOLDER
set -eu
src=$1
export LC_ALL=C

# folder, then the folders it may include from; "public" is procpool.h
rules='
base       base
shm        public base shm
codec      public base shm codec
task       public base shm codec task
worker     public base shm codec task worker
supervise  public base shm codec task worker supervise
pool       public base shm codec task worker supervise pool
command    public command
'

wrong=$(
    find "$src" -name '*.[ch]' | sort | while read -r file; do
        folder=${file#"$src"/}
        folder=${folder%%/*}
        allowed=$(printf '%s' "$rules" | sed -n "s/^$folder  *//p")
        if [ -z "$allowed" ]; then
            echo "$file: the folder $folder has no rule"
            continue
        fi
        sed -n -e 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' \
               -e 's/^[ \t]*#[ \t]*include[ \t]*<\(procpool\.h\)>.*/\1/p' "$file" |
        while read -r name; do
            case $name in
            *..*)       from="a relative path" ;;
            procpool.h) from=public ;;
            */*)        from=${name%%/*} ;;
            *)          from=$folder ;; # a file beside it
            esac
            case " $allowed " in
            *" $from "*) ;;
            *) echo "$file: includes \"$name\"; $folder may include from: $allowed" ;;
            esac
        done
    done
)

if [ -n "$wrong" ]; then
    printf '%s\n' "$wrong"
    exit 1
fi

#!/bin/sh
# The completions: each has every option and no other, and completes in its shell.
. "$(dirname "$0")/helpers"

folder=$here/../../completions
"$procpool" help options | sed -n 's/^  -., --\([a-z-]*\).*/\1/p; s/^      --\([a-z-]*\).*/\1/p' | sort > ours

has_options()
{
    diff ours - > difference || complain "$(cat difference)"
}

begin "bash, zsh and fish know every option, and no other"
sed -n '/^_procpool_run_options/,/[^ ]'"'"'$/p' "$folder/procpool.bash" | grep -o -- '--[a-z-]*' |
    sed 's/^--//' | sort | has_options
grep -o -- "--[a-z-]*\(=\|\[\|,\|}\)" "$folder/_procpool" | sed 's/^--//; s/.$//' | sort -u | has_options
sed -n 's/^complete .* -l \([a-z-]*\).*/\1/p' "$folder/procpool.fish" | sort | has_options

if command -v bash > /dev/null; then
    begin "bash"
    cat > complete.bash <<'END'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_procpool
printf '%s\n' "${COMPREPLY[@]}"
END
    in_bash()
    {
        bash complete.bash "$folder/procpool.bash" "$@" > out 2> err
        [ ! -s err ] || complain "it says $(cat err)"
    }
    in_bash procpool r
    has_output 'run
'
    in_bash procpool run --keep
    has_output '--keep-order
'
    in_bash procpool run --halt now
    grep -qx 'now,fail=1' out || complain "--halt: $(cat out)"
    mkdir -p folder
    : > folderless
    in_bash procpool run --workdir folder
    has_output 'folder
'
    in_bash procpool run -j 2 ech
    grep -qx echo out || complain "a command: $(cat out)"
    in_bash procpool run -j 2 echo folderl
    has_output 'folderless
'
    in_bash procpool run -j 2 echo --keep
    has_output '
'
    in_bash procpool help o
    has_output 'options
'
fi

if command -v fish > /dev/null; then
    begin "fish"
    in_fish()
    {
        HOME=$work fish --no-config -c "source '$folder/procpool.fish'; complete -C '$1'" 2> err | cut -f 1 > out
        [ ! -s err ] || complain "it says $(cat err)"
    }
    in_fish 'procpool r'
    has_output 'run
'
    in_fish 'procpool run --keep'
    has_output '--keep-order
'
    in_fish 'procpool run --halt now'
    grep -qx 'now,fail=1' out || complain "--halt: $(cat out)"
    in_fish 'procpool run -j 2 echo --keep'
    has_output ''
    in_fish 'procpool help o'
    has_output 'options
'
else
    echo "fish is not installed: left out"
fi

if command -v zsh > /dev/null; then
    begin "zsh"
    cat > complete.zsh <<'END'
# A line is typed into a shell under a pty, with tab behind it: what it becomes.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=('$1' \$fpath); autoload -U compinit; compinit -u -D; PS1=; zstyle ':completion:*' list-prompt ''; unsetopt beep; print rea''dy"
zpty -r -m shell line '*ready*' || exit 1
zpty -n -w shell "$2"$'\t'
zpty -r -m shell line "*$3*" # waits for it; whoever started us has set a limit
END
    in_zsh()
    {
        HOME=$work timeout 20 zsh -f complete.zsh "$folder" "$1" "$2" > out 2>&1 ||
            complain "'$1' does not become '$2'"
    }
    zsh -n "$folder/_procpool" || complain "it cannot be parsed"
    in_zsh 'procpool run --keep-o' '--keep-order'
    in_zsh 'procpool vers' 'version'
    in_zsh 'procpool help opt' 'options'
    in_zsh 'procpool run --lin' '--line-buffer'
    in_zsh 'procpool run --halt now,f' 'now,fail=1'
else
    echo "zsh is not installed: left out"
fi

finish
